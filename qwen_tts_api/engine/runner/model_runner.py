"""The tensors behind the scheduler's rows: prefill, one frame of all rows, decoding to samples."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from qwen_tts_api.engine.memory.planning import MAX_VOICES, MemoryPlan
from qwen_tts_api.engine.runner.buckets import Buckets
from qwen_tts_api.engine.runner.graphs import GraphCache, graph_pool
from qwen_tts_api.engine.runner.host_copy import DecodedAudio, DrawnCodes, HostCopy
from qwen_tts_api.engine.runner.lru import LruCache
from qwen_tts_api.engine.runner.state import (
    HISTORY_FRAMES,
    ChunkKey,
    FrameKey,
    RunnerState,
)
from qwen_tts_api.model.codec.decoder import CodecState, decode_chunk
from qwen_tts_api.model.frame import advance, prefill_rows
from qwen_tts_api.model.loaded import LoadedModel
from qwen_tts_api.model.placement import to_device
from qwen_tts_api.model.prompt import TalkerPrompt
from qwen_tts_api.model.sampling import Truncation
from qwen_tts_api.model.utterance import Prompt, Reference, Sampling
from qwen_tts_api.model.voice.cloning import Clone

RANKED = 64
"""Logits that are ranked as long as no row's top_k is above it (the published default is 50)."""

CPU_FRAMES_PER_CALL = 96
"""Frames that a CPU decodes in one call. More of them do not fit its caches: a frame of nano takes
0.73 ms in calls of 4 rows by 24 frames, and 1.44 ms in calls of 16 by 24."""


@dataclass(frozen=True)
class PreparedPrompt:
    """A prompt as the talker reads it, and the codec's stream that it goes on from, if any."""

    talker_prompt: TalkerPrompt
    num_text_tokens: int
    sampling: Sampling
    stream: CodecState | None

    @property
    def num_positions(self) -> int:
        """How many positions of a row its prefill takes."""
        return self.talker_prompt.embeds.shape[0]

    @property
    def num_trailing(self) -> int:
        """How many frames it takes to hear the text that is not in the prefill."""
        return self.talker_prompt.trailing_text.shape[0]


class ModelRunner:
    """A loaded model and the state of all rows. One thread only; see `runner.Runner`."""

    chunk_sizes: Sequence[int] = (1, 2, 4, 8, 12, 24)

    @torch.inference_mode()
    def __init__(
        self, model: LoadedModel, plan: MemoryPlan, *, max_positions: int, enforce_eager: bool
    ) -> None:
        self.card = model.card
        self.placement = model.placement
        self.eos = model.eos
        self.max_rows = plan.max_rows
        self.max_positions = max_positions
        self._model = model
        on_gpu = model.placement.device != "cpu"
        self._device = torch.device(model.placement.device)
        # A GPU begins the next frame before the host has read this one's codes, so that it never
        # waits for the host. What a CPU computes is there when the call returns.
        self.lag = int(on_gpu)
        self._copies = torch.cuda.Stream(self._device) if on_gpu else None
        flash = model.placement.attention == "flash_attention_2"
        self._state = RunnerState.allocate(model, self.max_rows, max_positions, flash)
        reads_by_length = self._state.rows.talker_cache.flash is not None
        self._sampling: dict[int, Sampling] = {}
        self._ends = [0] * self.max_rows  # of what each row has written to the talker's cache
        self._clones: LruCache[str, Clone] = LruCache(MAX_VOICES)
        pool = None if enforce_eager else graph_pool(self._device)
        self._buckets = Buckets(self.max_rows, max_positions, pool is not None, reads_by_length)
        self._frame: GraphCache[RunnerState, FrameKey] = GraphCache(
            self._make_frame, self._state, pool
        )
        self._chunk: GraphCache[RunnerState, ChunkKey] = GraphCache(
            self._make_chunk, self._state, pool
        )

    def is_prompt_quick(self, prompt: Prompt) -> bool:
        """Whether no recording must be encoded for it."""
        return prompt.reference is None or prompt.reference.key in self._clones

    def forget(self, reference: Reference) -> None:
        """Keep nothing of a recording for later utterances."""
        self._clones.discard(reference.key)

    @torch.inference_mode()
    def prepare(self, prompt: Prompt) -> PreparedPrompt:
        """Turn a prompt into the rows of its prefill."""
        reference = prompt.reference
        if reference is None:
            return PreparedPrompt(*self._model.build(prompt, None), prompt.sampling, None)
        clone = self._clones.get(reference.key, lambda: self._model.clone(reference))
        built = self._model.build(prompt, clone.voice)
        return PreparedPrompt(*built, prompt.sampling, clone.stream)

    @torch.inference_mode()
    def prefill(self, rows: Sequence[int], prepared: Sequence[PreparedPrompt]) -> DrawnCodes:
        """Begin utterances in free rows, and draw the first code 0 of each.

        Prompts of different lengths are padded to the longest, on the right. Keys and values of
        what prompts have in common are not kept: role and announcement are 8 positions, which cost
        nano 0.04 of 2.5 ms, and a long instruction's 77 positions 0.6 ms, once an utterance; on a
        GPU a prefill costs its launches and one read of the weights, whatever its length.
        """
        for row, item in zip(rows, prepared, strict=True):
            prompt = item.talker_prompt
            self._sampling[row] = item.sampling
            self._state.rows.talker_cache.clear(row, self._ends[row])
            pad = self._model.prompts.tts_pad[0]
            self._state.rows.set_row(row, item.sampling, prompt.trailing_text, pad)
            if item.stream is None:
                self._state.codec.reset(row)
            else:
                self._state.codec.put(row, item.stream)
        embeds = torch.nn.utils.rnn.pad_sequence(
            [item.talker_prompt.embeds for item in prepared], batch_first=True
        )
        for row in rows:
            self._ends[row] = embeds.shape[1]
        index = self._to_device(rows)
        lengths = self._to_device([item.num_positions for item in prepared])
        truncation = truncation_for([item.sampling for item in prepared])
        prefill_rows(self._model.speech, self._state.rows, embeds, lengths, index, truncation)
        drawn = self._state.rows.code_0.index_select(0, index)
        return DrawnCodes(HostCopy(drawn, self._copies), None)

    @torch.inference_mode()
    def advance(self, rows: Sequence[int], end: int) -> DrawnCodes:
        """Make the next frame of the running `rows`, and draw the code 0 after it."""
        for row in rows:
            # One more than this frame writes: a row that is stopped while another runs above it is
            # still computed, and writes at the position where it stopped.
            self._ends[row] = end + 1
        truncation = truncation_for([self._sampling[row] for row in rows])
        num_rows, kv_len = self._buckets.rows_for(rows[-1] + 1), self._buckets.positions_for(end)
        self._frame(FrameKey(num_rows, kv_len, truncation))
        drawn = self._state.rows.code_0[: rows[-1] + 1]
        if self._copies is None:
            drawn = drawn.clone()  # the next frame overwrites it
        return DrawnCodes(HostCopy(drawn, self._copies), list(rows))

    @torch.inference_mode()
    def stop(self, row: int) -> None:
        """Take a row out of the running."""
        self._state.rows.stop(row)

    @torch.inference_mode()
    def decode(self, rows: Sequence[int], starts: Sequence[int], num_frames: int) -> DecodedAudio:
        """Decode the next frames of some rows."""
        size = len(rows)
        if self._copies is None:
            size = max(1, CPU_FRAMES_PER_CALL // num_frames)
        parts = [
            self._decode(rows[first : first + size], starts[first : first + size], num_frames)
            for first in range(0, len(rows), size)
        ]
        samples = parts[0] if len(parts) == 1 else torch.cat(parts)
        return DecodedAudio(HostCopy(samples, self._copies))

    def _decode(self, rows: Sequence[int], starts: Sequence[int], num_frames: int) -> Tensor:
        num_rows = self._buckets.rows_for(len(rows))
        # A graph is captured for a few batch sizes. What is missing decodes the codec's last slot,
        # which belongs to no row.
        fill = num_rows - len(rows)
        slots = self._to_device([*rows, *[self.max_rows] * fill])
        self._state.slots[:num_rows].copy_(slots)
        self._state.starts[:num_rows].copy_(self._to_device([*starts, *[0] * fill]))
        return self._chunk(ChunkKey(num_rows, num_frames))[: len(rows)]

    @torch.inference_mode()
    def warm_up(self) -> None:
        """Capture the graphs; needs no running row.

        The largest first: in their common pool the others find room where it was. Of unusual
        sampling the smallest only, others when they are wanted.
        """
        for num_rows in reversed(self._buckets.rows):
            self.capture(num_rows)
        for limit in (RANKED, None):
            for top_p in (False, True):
                truncation = Truncation(limit, top_p)
                self._frame.prepare(FrameKey(1, self._buckets.positions[0], truncation))
        torch.cuda.empty_cache()  # what eager runs took before the captures

    @torch.inference_mode()
    def capture(self, num_rows: int) -> None:
        """Capture what so many rows need, the largest first: a chunk takes more than a frame."""
        for num_frames in reversed(self.chunk_sizes):
            self._chunk.prepare(ChunkKey(num_rows, num_frames))
        for kv_len in reversed(self._buckets.positions):
            self._frame.prepare(FrameKey(num_rows, kv_len, USUAL))

    @torch.inference_mode()
    def run_largest(self) -> None:
        """Do the most of everything that is ever done at once, for who measures what it takes."""
        chunk = ChunkKey(self.max_rows, self.chunk_sizes[-1])
        self._chunk.prepare(chunk)
        self._chunk(chunk)
        frame = FrameKey(self.max_rows, self._buckets.positions[-1], USUAL)
        self._frame.prepare(frame)
        self._frame(frame)
        embeds = self._model.prompts.tts_pad.expand(1, self.max_positions, -1)
        lengths, row = self._to_device([self.max_positions - 1]), self._to_device([0])
        prefill_rows(self._model.speech, self._state.rows, embeds, lengths, row, USUAL)

    def memory_bytes(self) -> int:
        """Return how much GPU memory PyTorch holds, 0 on a CPU."""
        on_gpu = self.placement.device != "cpu"
        return torch.cuda.memory_reserved(self.placement.device) if on_gpu else 0

    def close(self) -> None:
        """Give the memory back; what other threads may read stays."""
        del self._model, self._state, self._clones, self._frame, self._chunk
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _make_frame(self, state: RunnerState, key: FrameKey) -> Tensor:
        frames = state.rows.frames[: key.num_rows] % HISTORY_FRAMES
        advance(self._model.speech, state.rows, key.num_rows, key.kv_len, key.truncation)
        rows = state.row_numbers[: key.num_rows]
        state.history.index_put_((rows, frames), state.rows.codes[: key.num_rows])
        return state.rows.code_0

    def _make_chunk(self, state: RunnerState, key: ChunkKey) -> Tensor:
        slots, starts = state.slots[: key.num_rows], state.starts[: key.num_rows]
        offsets = torch.arange(key.num_frames, device=self._device)
        frames = (starts.unsqueeze(-1) + offsets) % HISTORY_FRAMES
        codes = state.history[slots.unsqueeze(-1), frames]
        samples = decode_chunk(self._model.codec, state.codec, codes, slots)
        return (samples.float() * 32767.0).round().to(torch.int16)

    def _to_device(self, numbers: Sequence[int]) -> Tensor:
        return to_device(numbers, self._device)


def truncation_for(settings: Sequence[Sampling]) -> Truncation:
    """Return what the rows of a batch need of top-k and top-p, both for code 0 and the others."""
    limits = [
        1 if temperature == 0 else top_k
        for each in settings
        for temperature, top_k in (
            (each.temperature, each.top_k),
            (each.subtalker_temperature, each.subtalker_top_k),
        )
    ]
    ranked = RANKED if all(0 < limit <= RANKED for limit in limits) else None
    top_p = any(min(each.top_p, each.subtalker_top_p) < 1 for each in settings)
    return Truncation(ranked, top_p)


USUAL = truncation_for([Sampling()])

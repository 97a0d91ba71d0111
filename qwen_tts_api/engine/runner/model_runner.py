"""Runs a loaded model for the scheduler: prefill, one frame of all slots, decoding to samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from qwen_tts_api.engine.memory.planning import MAX_VOICES, MemoryPlan
from qwen_tts_api.engine.memory.release import empty_caches
from qwen_tts_api.engine.runner.buckets import Buckets
from qwen_tts_api.engine.runner.chunks import CHUNK_SIZES, Chunks
from qwen_tts_api.engine.runner.frames import make_frames
from qwen_tts_api.engine.runner.graphs import Graph, graph_pool, prepare
from qwen_tts_api.engine.runner.host_copy import DecodedAudio, HostCopy, SampledCodes
from qwen_tts_api.engine.runner.kernels.paths import PLAIN, Kernels
from qwen_tts_api.engine.runner.lru import LruCache
from qwen_tts_api.engine.runner.page_table import PageTable
from qwen_tts_api.engine.runner.prefill.prefills import make_prefills
from qwen_tts_api.engine.runner.prefill.prepared import PrefixKey, PreparedPrompt
from qwen_tts_api.engine.runner.state import RunnerState
from qwen_tts_api.errors import TextTooLong
from qwen_tts_api.model.loaded import UNKNOWN, LoadedModel
from qwen_tts_api.model.utterance import (
    MAX_REFERENCE_S,
    SAMPLE_RATE_HZ,
    Prompt,
    Reference,
    SamplingParams,
)
from qwen_tts_api.model.voice.cloning import Clone
from qwen_tts_api.model.weights.placement import to_device

CPU_FRAMES_PER_CALL = 96
"""Frames that a CPU decodes in one call. More of them do not fit its caches: a frame of nano takes
0.73 ms in calls of 4 slots by 24 frames, and 1.44 ms in calls of 16 by 24."""


class ModelRunner:
    """A loaded model and the state of all slots; see `interface.Runner`."""

    chunk_sizes: Sequence[int] = CHUNK_SIZES

    @torch.inference_mode()
    def __init__(
        self,
        model: LoadedModel,
        plan: MemoryPlan,
        *,
        enforce_eager: bool,
        kernels: Kernels = PLAIN,
    ) -> None:
        self.card = model.card
        self.placement = model.placement
        self.kernels: Mapping[str, str] = kernels.names()
        self.eos = model.eos
        size = plan.size
        self.max_slots, self.max_positions = size.max_slots, size.max_positions
        self.num_pages, self.page_positions = size.num_pages, size.page_positions
        self._model = model
        on_gpu = model.placement.device != "cpu"
        self._device = torch.device(model.placement.device)
        # A GPU begins the next frame before the host has read this one's codes, so that it never
        # waits for the host. What a CPU computes is there when the call returns.
        self.lag = int(on_gpu)
        self._copies = torch.cuda.Stream(self._device) if on_gpu else None
        flash = model.placement.attention == "flash_attention_2"
        self._state = RunnerState.allocate(model, size, flash)
        self._pages = PageTable(self._state.speech.talker_cache)
        reads_by_length = self._state.speech.talker_cache.flash is not None
        self._sampling: dict[int, SamplingParams] = {}
        self._clones: LruCache[str, Clone] = LruCache(MAX_VOICES)
        pool = None if enforce_eager else graph_pool(self._device)
        buckets = Buckets(self.max_slots, self.max_positions, pool is not None, reads_by_length)
        self._batch_sizes = buckets.slots
        self._frames = make_frames(model.speech, self._state, buckets, pool, kernels)
        codec = kernels.codec and kernels.codec(model.codec)
        self._chunks = Chunks(model.codec, self._state, buckets, pool, codec)
        self._prefills = make_prefills(
            model, self._state, buckets, pool, kernels, plan.num_prefix_positions
        )
        self.max_prefill_positions = self._prefills.max_positions
        self.prefix_uses = self._prefills.uses

    def has_cached_voice(self, prompt: Prompt) -> bool:
        """Whether no recording has to be encoded for a prompt."""
        return prompt.reference is None or prompt.reference.key in self._clones

    def forget(self, reference: Reference) -> None:
        """Remove a recording from all caches."""
        self._clones.discard(reference.key)
        self._prefills.forget(reference.key)

    @torch.inference_mode()
    def prepare(self, prompt: Prompt) -> PreparedPrompt:
        """Tokenize a prompt, and encode its recording to embeddings."""
        reference, clone = prompt.reference, None
        if reference is not None:
            clone = self._clones.get(reference.key, lambda: self._model.clone(reference))
        voice, stream = (clone.voice, clone.stream) if clone else (None, None)
        built, num_tokens = self._model.build(prompt, voice)
        key = PrefixKey.of(prompt)
        prepared = PreparedPrompt(built, num_tokens, prompt.sampling, stream, key)
        self._check_room(prepared.num_trailing)
        return prepared

    def num_prefill_positions(self, prepared: Sequence[PreparedPrompt]) -> int:
        """Return how many positions a common prefill of these prompts computes."""
        return self._prefills.num_positions(prepared)

    @torch.inference_mode()
    def prefill(self, slots: Sequence[int], prepared: Sequence[PreparedPrompt]) -> SampledCodes:
        """Begin utterances in free slots, and sample the first code 0 of each."""
        batch = [*zip(slots, prepared, strict=True)]
        self._sampling.update((slot, item.sampling) for slot, item in batch)
        prompts = self._model.prompts
        starts = [item.start_in(slot, prompts) for slot, item in batch]
        self._state.speech.set_slots(starts, prompts.tts_pad)
        index = self._to_device(slots)
        self._state.codec.reset(index)
        for slot, item in batch:
            if item.stream is not None:
                self._state.codec.put(slot, item.stream)
        self._prefills.run(batch)
        sampled = self._state.speech.code_0.index_select(0, index)
        return SampledCodes(HostCopy(sampled, self._copies), None)

    @torch.inference_mode()
    def grow(self, slot: int, num_pages: int) -> None:
        """Allocate pages so that a slot has so many."""
        self._pages.grow(slot, num_pages)

    @torch.inference_mode()
    def advance(self, slots: Sequence[int], end: int) -> SampledCodes:
        """Generate the next frame of the running `slots`, and sample the code 0 after it."""
        self._frames.run(slots[-1] + 1, end, [self._sampling[slot] for slot in slots])
        sampled = self._state.speech.code_0[: slots[-1] + 1]
        if self._copies is None:
            sampled = sampled.clone()  # the next frame overwrites it
        return SampledCodes(HostCopy(sampled, self._copies), list(slots))

    @torch.inference_mode()
    def stop(self, slot: int) -> None:
        """Mark a slot as not running, and release its pages."""
        self._state.speech.stop(slot)
        self._pages.release(slot)

    def num_stable_tokens(self, text: str) -> int:
        """Return how many tokens of an unfinished text are final, whatever follows."""
        tokenizer = self._model.tokenizer
        return len(tokenizer.text_ids(tokenizer.stable_prefix(text)))

    @torch.inference_mode()
    def extend(self, slot: int, text: str, num_tokens: int, *, final: bool) -> int:
        """Append text to a slot."""
        tokenizer, prompts = self._model.tokenizer, self._model.prompts
        ids = tokenizer.text_ids(text if final else tokenizer.stable_prefix(text))
        end = [prompts.text_ids.eos] if final else []
        self._check_room(len(ids) - 1 + len(end))
        new = prompts.embed_text([*ids[num_tokens:], *end])
        # The first token is in the prefill.
        self._state.speech.append_text(
            slot, num_tokens - 1, new, prompts.tts_pad[0], len(ids) if final else UNKNOWN
        )
        return len(ids)

    @torch.inference_mode()
    def pause(self, slot: int) -> None:
        """Pause a running slot; it keeps its state."""
        self._state.speech.stop(slot)

    @torch.inference_mode()
    def resume(self, slot: int) -> None:
        """Resume a paused slot."""
        self._state.speech.resume(slot)

    @torch.inference_mode()
    def decode(self, slots: Sequence[int], starts: Sequence[int], num_frames: int) -> DecodedAudio:
        """Decode the next frames of some slots."""
        size = len(slots)
        if self._copies is None:
            size = max(1, CPU_FRAMES_PER_CALL // num_frames)
        parts = [
            self._chunks.run(slots[first : first + size], starts[first : first + size], num_frames)
            for first in range(0, len(slots), size)
        ]
        samples = parts[0] if len(parts) == 1 else torch.cat(parts)
        return DecodedAudio(HostCopy(samples, self._copies))

    @torch.inference_mode()
    def warm_up(self) -> None:
        """Capture graphs, while no slot is running.

        Those for other than usual sampling parameters are captured when needed, the smallest ones
        here.
        """
        graphs = [each for size in reversed(self._batch_sizes) for each in self._graphs_of(size)]
        prepare([*graphs, *self._frames.other_graphs(), *self._prefills.graphs()])
        torch.cuda.empty_cache()  # what eager runs took

    @torch.inference_mode()
    def capture(self, num_slots: int) -> None:
        """Capture the graphs of one batch size."""
        prepare(self._graphs_of(num_slots))

    @torch.inference_mode()
    def run_largest(self) -> None:
        """Run what takes the most memory, to measure that: beside graphs, what is not captured."""
        largest = [
            next(self._chunks.graphs(self.max_slots)),
            next(self._frames.graphs(self.max_slots)),
        ]
        prepare([*largest, *self._prefills.graphs()])
        for graph in largest:
            graph.run()
        self._prefills.run_largest()
        if self._model.encoders is not None:
            silence = np.zeros(MAX_REFERENCE_S * SAMPLE_RATE_HZ, np.float32)
            self._model.clone(Reference(silence, "A text."))

    def _graphs_of(self, num_slots: int) -> Iterator[Graph]:
        """Yield the graphs of one batch size, the largest first: chunks take more than frames."""
        yield from self._chunks.graphs(num_slots)
        yield from self._frames.graphs(num_slots)

    def memory_bytes(self) -> int:
        """Return how much GPU memory PyTorch has reserved, 0 on a CPU."""
        on_gpu = self.placement.device != "cpu"
        return torch.cuda.memory_reserved(self.placement.device) if on_gpu else 0

    def close(self) -> None:
        """Release the memory; attributes that other threads read stay."""
        del self._model, self._state, self._pages, self._clones, self._frames, self._chunks
        del self._prefills
        empty_caches()

    def _check_room(self, num_trailing: int) -> None:
        room = self._state.speech.max_text_embeddings
        if num_trailing > room:
            raise TextTooLong(
                f"{num_trailing} tokens of the text are heard in its frames, where there is room "
                f"for {room}: send the text in parts, or without 'non_streaming_mode' false."
            )

    def _to_device(self, numbers: Sequence[int]) -> Tensor:
        return to_device(numbers, self._device)

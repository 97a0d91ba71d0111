"""What the runner launches for a frame, a chunk and a prefill, by either path."""

from __future__ import annotations

from collections.abc import Callable

import torch

from bench.launches import Launches, storage_of
from qwen_tts_api.engine.runner.buckets import Buckets
from qwen_tts_api.engine.runner.chunks import Chunks
from qwen_tts_api.engine.runner.frames import USUAL, FusedFrames, PlainFrames
from qwen_tts_api.engine.runner.kernels.paths import Kernels
from qwen_tts_api.engine.runner.prefill.fused import FusedPrefills
from qwen_tts_api.engine.runner.prefill.prefixes import PrefixCache
from qwen_tts_api.engine.runner.prefill.prepared import PrefixKey, PreparedPrompt
from qwen_tts_api.engine.runner.state import ChunkKey, FrameKey, RunnerState
from qwen_tts_api.model.frame import prefill_slots
from qwen_tts_api.model.loaded import LoadedModel
from qwen_tts_api.model.prompt import TalkerPrompt
from qwen_tts_api.model.talker_cache import CacheSize
from qwen_tts_api.model.utterance import SamplingParams

POSITIONS = 512
"""Of a slot: the prompt and half a minute."""

CHUNK_FRAMES = 4
PROMPT_POSITIONS = 60
PREFIX_POSITIONS = 9
"""Of the prompt: role, language and speaker."""

PARTS = ("frame", "chunk", "prefill")


@torch.inference_mode()
def plain_launches(model: LoadedModel, num_slots: int) -> dict[str, Launches]:
    """Return the launches of each part by PyTorch's operators, of a model on the meta device."""
    state = RunnerState.allocate(model, CacheSize.whole(num_slots, POSITIONS), flash=False)
    buckets = Buckets(num_slots, POSITIONS, captured=True, reads_by_length=False)
    frames = PlainFrames(model.speech, state, buckets, None)
    chunks = Chunks(model.codec, state, buckets, None)
    index = torch.empty(1, dtype=torch.int64, device="meta")
    key = FrameKey(num_slots, POSITIONS, USUAL)
    return {
        "frame": _record(lambda: frames.compute(state, key)),
        "chunk": _record(lambda: chunks.compute(state, ChunkKey(num_slots, CHUNK_FRAMES))),
        "prefill": _record(
            lambda: prefill_slots(
                model.speech,
                state.speech,
                model.prompts.embed(_prompt().talker_prompt).unsqueeze(0),
                index,
                index,
                USUAL,
            )
        ),
    }


@torch.inference_mode()
def fused_launches(
    model: LoadedModel, num_slots: int, kernels: Kernels, chunk_frames: int = CHUNK_FRAMES
) -> dict[str, Launches]:
    """Return the launches of those parts that fused kernels do."""
    state = RunnerState.allocate(model, CacheSize.whole(num_slots, POSITIONS), flash=False)
    buckets = Buckets(num_slots, POSITIONS, captured=True, reads_by_length=False)
    launches = {}
    if kernels.frame is not None:
        frames = FusedFrames(kernels.frame(model.speech, state.speech), state, buckets, None)
        rows = _read_by_rows(model, state, num_slots)
        launches["frame"] = _record(lambda: frames.compute(state, num_slots), rows)
    if kernels.codec is not None:
        chunks = Chunks(model.codec, state, buckets, None, kernels.codec(model.codec))
        key = ChunkKey(num_slots, chunk_frames)
        launches["chunk"] = _record(lambda: chunks.compute(state, key))
    if kernels.prefill is not None:
        max_tokens = buckets.tokens_for(PROMPT_POSITIONS)
        fused = kernels.prefill(model.speech, model.prompts, state.speech, max_tokens)
        prefixes = PrefixCache(state.speech.talker_cache, PREFIX_POSITIONS)
        prefills = FusedPrefills(fused, state, buckets, None, prefixes)
        rows = _read_by_rows(model, state, 1)
        table = model.prompts.text_embedding
        rows[storage_of(table)] = max_tokens * table.shape[1] * table.element_size()
        launches["prefill"] = _record(lambda: prefills.run([(0, _prompt())]), rows)
    return launches


def _prompt() -> PreparedPrompt:
    """Return a prompt whose beginning is kept for others."""
    ids = [0] * PROMPT_POSITIONS
    talker_prompt = TalkerPrompt(ids, ids, num_shared=PREFIX_POSITIONS)
    key = PrefixKey("", "english", "ryan", None, False)
    return PreparedPrompt(talker_prompt, PROMPT_POSITIONS, SamplingParams(), None, key)


def _read_by_rows(model: LoadedModel, state: RunnerState, num_slots: int) -> dict[int, int]:
    """Return what kernels read rows of, with the bytes that it counts for.

    Of the talker's cache each layer reads all positions of the slots; of tables, a row a slot.
    """
    talker, predictor = model.speech.talker, model.speech.code_predictor
    norm, heads = talker.decoder.norm, talker.decoder.heads
    row = num_slots * norm.shape[0] * norm.element_size()
    tables = [talker.code_embeddings, *predictor.inputs, state.speech.text]
    position = 2 * heads.num_kv * heads.head_dim * norm.element_size()
    cache = {storage_of(state.speech.talker_cache.key_value): num_slots * POSITIONS * position}
    return {storage_of(table): row for table in tables} | cache


def _record(function: Callable[[], object], by_rows: dict[int, int] | None = None) -> Launches:
    with Launches(by_rows).recording() as launches:
        function()
    return launches

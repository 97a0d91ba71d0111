"""Generating twice: with upstream's `generate`, and with our rows, joined and left at will."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from qwen_tts_api.model.frame import advance, prefill_slots
from qwen_tts_api.model.frame_state import FrameState, SlotStart, SpeechModel
from qwen_tts_api.model.loaded import UNKNOWN
from qwen_tts_api.model.prompt import ClonedVoice, PromptWeights, TalkerPrompt, build_prompt
from qwen_tts_api.model.sampling import (
    MIN_NEW_TOKENS,
    SamplingTensors,
    TopKTopP,
    sampling_values,
)
from qwen_tts_api.model.talker_cache import CacheSize
from qwen_tts_api.model.utterance import SamplingParams
from tests.model.checkpoints import parameters_of

GREEDY = SamplingParams(
    seed=0,
    temperature=0,
    top_k=0,
    top_p=1.0,
    subtalker_temperature=0,
    subtalker_top_k=0,
    subtalker_top_p=1.0,
    repetition_penalty=1.05,
)
SAMPLED = replace(GREEDY, temperature=0.9, top_k=50, subtalker_temperature=0.9, subtalker_top_k=50)
TOP_64 = TopKTopP(max_top_k=64, top_p=False)

FramesBy = Callable[[SpeechModel, FrameState], Callable[[int], None]]
"""Returns what generates a frame of the first slots of a state."""


@dataclass
class Case:
    """One utterance, in the terms of both."""

    text_ids: Tensor
    language: str = "auto"
    voice: str | ClonedVoice | None = None
    instruct_ids: Tensor | None = None


@dataclass
class Embedded:
    """A prompt's prefill `[T, D]`, and the text of its first frames `[N, D]`."""

    embeds: Tensor
    trailing_text: Tensor
    min_codes: int = MIN_NEW_TOKENS


@dataclass
class Checkpoint:
    """A checkpoint as upstream's `Qwen3TTSForConditionalGeneration` and as ours."""

    upstream: Any
    speech: SpeechModel
    prompts: PromptWeights

    @classmethod
    def of(cls, upstream: Any) -> Checkpoint:
        """Read an upstream model's tensors."""
        parameters, config = parameters_of(upstream), upstream.config.to_dict()
        speech = SpeechModel.read(parameters.within("talker"), config["talker_config"])
        prompts = PromptWeights.read(parameters, config, speech.talker)
        return cls(upstream, speech, prompts)

    @property
    def eos(self) -> int:
        """The code 0 that ends an utterance."""
        return int(self.upstream.config.talker_config.codec_eos_token_id)

    def prompt(self, case: Case, non_streaming_mode: bool) -> Embedded:
        """Build a case's prompt with our own builder."""
        return self.embedded(self.built(case, non_streaming_mode))

    def embedded(self, prompt: TalkerPrompt) -> Embedded:
        """Return a prompt's embeddings."""
        trailing = self.prompts.embed_text(prompt.trailing_text)
        return Embedded(self.prompts.embed(prompt), trailing, prompt.min_codes)

    def built(self, case: Case, non_streaming_mode: bool) -> TalkerPrompt:
        """Build a case's prompt, as ids."""
        return build_prompt(
            self.prompts,
            case.text_ids.tolist(),
            language=case.language,
            voice=case.voice,
            instruct_ids=() if case.instruct_ids is None else case.instruct_ids.tolist(),
            non_streaming_mode=non_streaming_mode,
        )


def upstream_arguments(cases: list[Case], non_streaming_mode: bool) -> dict[str, Any]:
    """Return cases as `Qwen3TTSForConditionalGeneration.generate` takes them."""
    arguments: dict[str, Any] = {
        "input_ids": [case.text_ids.unsqueeze(0) for case in cases],
        "languages": [case.language for case in cases],
        "non_streaming_mode": non_streaming_mode,
        "instruct_ids": [
            None if case.instruct_ids is None else case.instruct_ids.unsqueeze(0) for case in cases
        ],
    }
    voices = [case.voice for case in cases]
    clones = [voice for voice in voices if isinstance(voice, ClonedVoice)]
    if not clones:
        return arguments | {"speakers": voices}
    ids = [clone.reference_ids for clone in clones]
    return arguments | {
        "ref_ids": [None if each is None else torch.tensor([each]) for each in ids],
        "voice_clone_prompt": {
            "ref_code": [clone.reference_codes for clone in clones],
            "ref_spk_embedding": [clone.speaker for clone in clones],
            "x_vector_only_mode": [reference is None for reference in ids],
            "icl_mode": [reference is not None for reference in ids],
        },
    }


def upstream_codes(
    checkpoint: Checkpoint, cases: list[Case], non_streaming_mode: bool, **options: Any
) -> list[Tensor]:
    """Generate greedily with upstream, all cases in one batch: `[F, G]` each."""
    codes, _ = checkpoint.upstream.generate(
        **upstream_arguments(cases, non_streaming_mode),
        do_sample=False,
        subtalker_dosample=False,
        **options,
    )
    return list(codes)


@contextmanager
def _caught(talker: Any) -> Iterator[dict[str, Any]]:
    """Let `talker.generate` note its arguments and go no further."""

    class Stop(Exception):
        pass

    caught: dict[str, Any] = {}

    def stop(**arguments: Any) -> None:
        caught.update(arguments)
        raise Stop

    talker.generate = stop
    try:
        yield caught
    except Stop:
        pass
    finally:
        del talker.generate


def upstream_prompt(
    checkpoint: Checkpoint, case: Case, non_streaming_mode: bool
) -> tuple[Embedded, Tensor]:
    """Return upstream's prompt and tts_pad row; its trailing text may end with that row."""
    with _caught(checkpoint.upstream.talker) as caught:
        checkpoint.upstream.generate(**upstream_arguments([case], non_streaming_mode))
    [embeds], [trailing] = caught["inputs_embeds"], caught["trailing_text_hidden"]
    return Embedded(embeds, trailing), caught["tts_pad_embed"][0, 0]


@dataclass
class Request:
    """One utterance of ours: where and when it runs, when it waits, and until when."""

    prompt: Embedded
    slot: int
    sampling: SamplingParams = GREEDY
    joins_at: int = 0
    waits_at: frozenset[int] = frozenset()
    text_arrives: bool = False
    max_new_tokens: int = 12


def place(state: FrameState, pages: Tensor | None = None) -> None:
    """Let every slot have all pages that it can: these, or one after another."""
    table = state.talker_cache.page_table
    if pages is None:
        pages = torch.arange(1, 1 + table.numel()).view(table.shape)
    for slot, own in enumerate(pages):
        state.talker_cache.give(slot, 0, own)


@torch.inference_mode()
def our_codes(
    checkpoint: Checkpoint,
    requests: list[Request],
    *,
    num_slots: int,
    kv_len: int = 128,
    top_k_top_p: TopKTopP = TOP_64,
    page_positions: int = 64,
    pages: Tensor | None = None,
    frames_by: FramesBy | None = None,
) -> list[Tensor]:
    """Run requests in rows of one state, each from the step it joins at: `[F, G]` each.

    `pages` are those of each slot, `[num_slots, M]`; None: one after another. With
    `frames_by` frames are made by other means than `frame.advance`.
    """
    size = CacheSize.whole(num_slots, 128, page_positions)
    if pages is not None:
        size = replace(size, num_pages=size.num_pages + 1)  # so that they may lie anywhere
    state = FrameState.allocate(checkpoint.speech, size, max_text_embeddings=64)
    place(state, pages)

    def plain(model: SpeechModel, state: FrameState) -> Callable[[int], None]:
        return lambda num_slots: advance(model, state, num_slots, kv_len, top_k_top_p)

    make_frame = (frames_by or plain)(checkpoint.speech, state)
    frames: list[list[Tensor]] = [[] for _ in requests]
    running: set[int] = set()
    waiting = set(range(len(requests)))
    step = 0
    while waiting or running:
        joining = sorted(index for index in waiting if requests[index].joins_at <= step)
        if joining:
            _join(checkpoint, state, [requests[index] for index in joining], top_k_top_p)
        running.update(joining)
        waiting.difference_update(joining)
        for index in sorted(running):
            request = requests[index]
            ended = int(state.code_0[request.slot]) == checkpoint.eos
            if ended or len(frames[index]) == request.max_new_tokens - 1:
                state.stop(request.slot)
                running.discard(index)
        for index in running:
            if requests[index].text_arrives and step not in requests[index].waits_at:
                _hear(checkpoint, state, requests[index], len(frames[index]))
        waiting_now = {index for index in running if step in requests[index].waits_at}
        for index in waiting_now:
            state.stop(requests[index].slot)
        if running:
            make_frame(num_slots)
        for index in waiting_now:
            state.resume(requests[index].slot)
        for index in running - waiting_now:
            frames[index].append(state.codes[requests[index].slot].clone())
        step += 1
    groups = state.codes.shape[1]
    return [torch.stack(made) if made else torch.zeros(0, groups) for made in frames]


def sampling_of(settings: list[tuple[float, int, float]], vocabulary: int) -> SamplingTensors:
    """Return slots with these temperatures, top_k and top_p."""
    ranks, floats = zip(*(sampling_values(vocabulary, *each) for each in settings), strict=True)
    return SamplingTensors.of(
        torch.tensor(ranks), torch.tensor(floats).t().contiguous(), vocabulary
    )


def _join(
    checkpoint: Checkpoint, state: FrameState, requests: list[Request], top_k_top_p: TopKTopP
) -> None:
    """Prefill several requests at once, padded on the right with numbers that must not matter."""
    lengths = torch.tensor([request.prompt.embeds.shape[0] for request in requests])
    width = requests[0].prompt.embeds.shape[1]
    dtype = requests[0].prompt.embeds.dtype
    embeds = torch.full((len(requests), int(lengths.max()), width), 7.0, dtype=dtype)
    starts = []
    for index, request in enumerate(requests):
        prompt = request.prompt
        embeds[index, : lengths[index]] = prompt.embeds
        text, min_codes = prompt.trailing_text, prompt.min_codes
        if request.text_arrives:
            text, min_codes = text[:0], UNKNOWN
        starts.append(SlotStart(request.slot, request.sampling, text, min_codes))
    state.set_slots(starts, checkpoint.prompts.tts_pad)
    rows = torch.tensor([request.slot for request in requests])
    prefill_slots(checkpoint.speech, state, embeds, lengths, rows, top_k_top_p)


def _hear(checkpoint: Checkpoint, state: FrameState, request: Request, frame: int) -> None:
    """Append the text of a frame, when it is needed and not before."""
    text = request.prompt.trailing_text
    if frame < len(text):
        min_codes = len(text) if frame == len(text) - 1 else UNKNOWN
        pad = checkpoint.prompts.tts_pad[0]
        state.append_text(request.slot, frame, text[frame : frame + 1], pad, min_codes)

"""The language models' weights, and the tensors of the slots that utterances are generated in.

A slot is an index into the tensors of `FrameState`. It holds one utterance from its prefill until
it is released; R is the number of slots.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from qwen_tts_api.checkpoints.documents import Document
from qwen_tts_api.checkpoints.transformer_config import TALKER, TALKER_DEFAULTS, completed
from qwen_tts_api.model.code_predictor import CodePredictorCache, CodePredictorWeights
from qwen_tts_api.model.sampling import (
    GREEDY,
    MIN_NEW_TOKENS,
    CounterRng,
    LogitsBias,
    SamplingTensors,
    sampling_values,
    seed_key,
)
from qwen_tts_api.model.talker import TalkerWeights
from qwen_tts_api.model.talker_cache import CacheSize, TalkerCache
from qwen_tts_api.model.utterance import SamplingParams
from qwen_tts_api.model.weights.parameters import Parameters
from qwen_tts_api.model.weights.placement import to_device


@dataclass(frozen=True)
class SpeechModel:
    """The weights of both language models, and constants derived from them.

    Attributes:
        talker: Generates code 0 of each frame.
        code_predictor: Generates codes 1 to G - 1.
        logits_bias: Suppresses codes 0.
        rng: Random numbers of one `advance`: for codes 1 to G - 1 and the next frame's code 0.
        first_rng: The random number of the first code 0.
    """

    talker: TalkerWeights
    code_predictor: CodePredictorWeights
    logits_bias: LogitsBias
    rng: CounterRng
    first_rng: CounterRng

    @classmethod
    def read(cls, parameters: Parameters, config: Document) -> SpeechModel:
        """Read the weights of both models.

        Args:
            parameters: Those within `talker`.
            config: config.json's `talker_config`.

        Raises:
            LoadError: As `TalkerWeights.read`.
        """
        talker = TalkerWeights.read(parameters, config)
        code_predictor = CodePredictorWeights.read(
            parameters.within("code_predictor"), config.get("code_predictor_config") or {}, talker
        )
        device, num_groups = parameters.device, code_predictor.num_code_groups
        eos = completed(config, TALKER_DEFAULTS, TALKER)["codec_eos_token_id"]
        return cls(
            talker=talker,
            code_predictor=code_predictor,
            logits_bias=LogitsBias.build(talker.vocabulary, eos, device),
            rng=CounterRng.build(1, num_groups, num_groups, device),
            first_rng=CounterRng.build(0, 1, num_groups, device),
        )


@dataclass(frozen=True)
class SlotStart:
    """What an utterance begins with in its slot, besides its prompt.

    Attributes:
        slot: The slot's index; it must not be running.
        params: Sampling parameters.
        text: `[n, D]`: the text embeddings of the first n frames.
        min_codes: Before so many codes 0 the end of speech is forbidden.
    """

    slot: int
    params: SamplingParams
    text: Tensor
    min_codes: int = MIN_NEW_TOKENS


@dataclass(frozen=True)
class FrameState:
    """The tensors of all slots, on the device; allocated once, updated in place.

    Attributes:
        talker_cache: The talker's keys and values.
        code_predictor_cache: The code predictor's.
        code_0: `[R]` int64: the code 0 that was sampled last. Where it is the end of speech, the
            utterance is complete, and frames computed until the slot is stopped are surplus.
        codes: `[R, G]` int64: the frame of number `frames` - 1, which was generated last.
        past_hidden: `[R, D]`: the talker's hidden state that `code_0` was sampled from.
        positions: `[R]` int64: the position of the talker's next input. It stays at the last one of
            the cache, where surplus frames are computed until the host stops the slot.
        frames: `[R]` int64: the number of the frame that `code_0` begins.
        running: `[R]` int64, 1 or 0: whether `advance` advances the slot. In other slots of a batch
            it computes numbers that nothing reads, and writes only in its own pages, at the
            position of its next input, or in scratch where it has no page: it can be resumed.
        text: `[R, N + 1, D]`: the text embeddings of the first frames, then that of tts_pad.
        text_lengths: `[R]` int64: how many text embeddings come before tts_pad's.
        text_starts: `[R]` int64: slot * (N + 1), where a slot begins in `text.flatten(0, 1)`.
        seen: `[R, V]` bool: the codes 0 of the slot's utterance.
        penalty: `[R, 1]` float32: the repetition penalty.
        min_codes: `[R]` int64: before so many codes 0 the end of speech is forbidden: an utterance
            whose text comes in frames does not end before it has heard all of it.
        keys: `[R]` int64: `sampling.seed_key` of the slot's seed.
        sampling: Parameters of code 0.
        subtalker_sampling: Parameters of codes 1 to 15.
        integers: `[5, R']`: `text_lengths`, `min_codes`, `keys`, the `last_rank` of `sampling` and
            of `subtalker_sampling`, which are views of it; R' is R or a little more.
        floats: `[7, R']`: `penalty`, and the other tensors of both samplings, likewise.
    """

    talker_cache: TalkerCache
    code_predictor_cache: CodePredictorCache
    code_0: Tensor
    codes: Tensor
    past_hidden: Tensor
    positions: Tensor
    frames: Tensor
    running: Tensor
    text: Tensor
    text_lengths: Tensor
    text_starts: Tensor
    seen: Tensor
    penalty: Tensor
    min_codes: Tensor
    keys: Tensor
    sampling: SamplingTensors
    subtalker_sampling: SamplingTensors
    integers: Tensor
    floats: Tensor

    @classmethod
    def allocate(
        cls,
        model: SpeechModel,
        size: CacheSize,
        max_text_embeddings: int,
        flash: bool = False,
    ) -> FrameState:
        """Return the state of slots of which none is running or has a page of the talker's cache.

        Args:
            model: Tells the device, the dtype and the shapes.
            size: R, and the talker's cache.
            max_text_embeddings: N: of the text that is not in the prefill.
            flash: As for `TalkerCache.allocate`.
        """
        weights, predictor = model.talker, model.code_predictor
        norm = weights.decoder.norm
        device, dtype, width = norm.device, norm.dtype, norm.shape[0]
        max_slots = size.max_slots

        def integers(*shape: int) -> Tensor:
            return torch.zeros(shape, dtype=torch.int64, device=device)

        # In rows that are aligned to 16 bytes: for what is not, kernels are compiled once more.
        aligned = -(-max_slots // 4) * 4
        numbers, idle = integers(5, aligned), (1.0, *GREEDY[1], *GREEDY[1])
        floats = to_device(idle, device, torch.float32).unsqueeze(1).repeat(1, aligned)
        lengths, min_codes, keys, *last_ranks = numbers[:, :max_slots].unbind()
        penalty, sampling, subtalker_sampling = floats[:, :max_slots].split([1, 3, 3])
        return cls(
            talker_cache=TalkerCache.allocate(weights.decoder, size, flash),
            code_predictor_cache=CodePredictorCache.allocate(predictor, max_slots),
            code_0=integers(max_slots),
            codes=integers(max_slots, predictor.num_code_groups),
            past_hidden=torch.zeros(max_slots, width, dtype=dtype, device=device),
            positions=integers(max_slots),
            frames=integers(max_slots),
            running=integers(max_slots),
            text=torch.zeros(max_slots, max_text_embeddings + 1, width, dtype=dtype, device=device),
            text_lengths=lengths,
            text_starts=torch.arange(max_slots, device=device) * (max_text_embeddings + 1),
            seen=torch.zeros(max_slots, weights.vocabulary, dtype=torch.bool, device=device),
            penalty=penalty.view(max_slots, 1),
            min_codes=min_codes.fill_(MIN_NEW_TOKENS),
            keys=keys,
            sampling=SamplingTensors.of(last_ranks[0], sampling, weights.vocabulary),
            subtalker_sampling=SamplingTensors.of(
                last_ranks[1], subtalker_sampling, predictor.vocabulary
            ),
            integers=numbers,
            floats=floats,
        )

    @property
    def last_position(self) -> int:
        """The last position that a slot has."""
        return self.talker_cache.size.max_positions - 1

    @property
    def max_text_embeddings(self) -> int:
        """How many text embeddings a slot has room for."""
        return self.text.shape[1] - 1

    def set_slots(self, starts: Sequence[SlotStart], tts_pad: Tensor) -> None:
        """Prepare slots for `frame.prefill_slots`; does not synchronise with the device.

        Two copies and five launches, however many slots there are.

        Args:
            starts: The slots.
            tts_pad: `[1, D]`: the text embedding of all frames that have no text.

        Raises:
            ValueError: There are more text embeddings than the state was allocated for.
        """
        device, room = self.text.device, self.text.shape[1]
        integers, floats = zip(*map(self._values, starts), strict=True)
        rows = [
            start.slot * room + index for start in starts for index in range(len(start.text) + 1)
        ]
        sent = to_device([*_columns(integers), *rows], device)
        numbers = sent[: -len(rows)].view(-1, len(starts))
        slots = numbers[0]
        self.integers.index_copy_(1, slots, numbers[1:])
        decimals = to_device(_columns(floats), device, torch.float32).view(-1, len(starts))
        self.floats.index_copy_(1, slots, decimals)
        self.seen.index_fill_(0, slots, False)
        text = torch.cat([part for start in starts for part in (start.text, tts_pad)])
        self.text.flatten(0, 1).index_copy_(0, sent[-len(rows) :], text)

    def _values(self, start: SlotStart) -> tuple[tuple[int, ...], tuple[float, ...]]:
        """Return the slot and its column of `integers`, and that of `floats`."""
        self._check_text(len(start.text))
        params = start.params
        rank, floats = sampling_values(
            self.sampling.vocabulary, params.temperature, params.top_k, params.top_p
        )
        subtalker_rank, subtalker_floats = sampling_values(
            self.subtalker_sampling.vocabulary,
            params.subtalker_temperature,
            params.subtalker_top_k,
            params.subtalker_top_p,
        )
        codes = max(start.min_codes, MIN_NEW_TOKENS)
        integers = (len(start.text), codes, seed_key(params.seed), rank, subtalker_rank)
        return (start.slot, *integers), (params.repetition_penalty, *floats, *subtalker_floats)

    def _check_text(self, num_texts: int) -> None:
        if num_texts > self.max_text_embeddings:
            raise ValueError(
                f"{num_texts} text embeddings; there is room for {self.max_text_embeddings}."
            )

    def append_text(
        self, slot: int, start: int, text: Tensor, tts_pad: Tensor, min_codes: int
    ) -> None:
        """Add text to a slot that has `start` text embeddings; does not synchronise.

        Args:
            slot: The slot's index.
            start: How many it has.
            text: `[n, D]`.
            tts_pad: `[D]`.
            min_codes: As `SlotStart`'s.

        Raises:
            ValueError: As `set_slots`.
        """
        end = start + text.shape[0]
        self._check_text(end)
        self.text[slot, start:end] = text
        self.text[slot, end] = tts_pad
        # `tensor[slot] = number` would be a copy to the GPU that the host waits for.
        self.text_lengths[slot].fill_(end)
        self.min_codes[slot].fill_(max(min_codes, MIN_NEW_TOKENS))

    def stop(self, slot: int) -> None:
        """Mark a slot as not running: `advance` no longer advances it. Does not synchronise."""
        self.running[slot].fill_(0)

    def resume(self, slot: int) -> None:
        """Mark a slot that was stopped as running: it goes on where it was. Likewise."""
        self.running[slot].fill_(1)


def _columns(rows: Sequence[tuple[float, ...]]) -> list[Any]:
    """Return the numbers of some rows column by column."""
    return [number for column in zip(*rows, strict=True) for number in column]

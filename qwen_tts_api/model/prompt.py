"""Turn token ids into the talker's input: embeddings of the prefill, and text of later frames.

Each position's embedding is the sum of a text embedding and a codec embedding, except for the role
and an instruction, which have text only.

Source: upstream's `Qwen3TTSForConditionalGeneration.generate` up to the call of `talker.generate`,
for one utterance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from qwen_tts_api.checkpoints.documents import POSITIVE, Document, read_fields
from qwen_tts_api.checkpoints.special_codes import SpecialCodes
from qwen_tts_api.checkpoints.transformer_config import TALKER, TALKER_DEFAULTS, completed
from qwen_tts_api.checkpoints.voice_names import read_text_ids
from qwen_tts_api.model.sampling import MIN_NEW_TOKENS
from qwen_tts_api.model.talker import TalkerWeights
from qwen_tts_api.model.weights.parameters import Parameters
from qwen_tts_api.model.weights.placement import to_device

SPEECH_TEMPLATE = "<|im_start|>assistant\n{}<|im_end|>\n<|im_start|>assistant\n"
REFERENCE_TEMPLATE = "<|im_start|>assistant\n{}<|im_end|>\n"
INSTRUCTION_TEMPLATE = "<|im_start|>user\n{}<|im_end|>\n"

# How many ids of the templates come before the text, and after it.
_ROLE = 3
_SPEECH_END = 5
_REFERENCE_END = 2
SPEECH_TEMPLATE_TOKENS = _ROLE + _SPEECH_END


@dataclass(frozen=True)
class PromptWeights:
    """Turns text tokens and codec ids into embeddings.

    Attributes:
        text_embedding: `[V_text, D_text]`.
        expand: Weight and bias of the text projection's first half.
        contract: Of its second half, to D.
        talker: Has the codec embeddings.
        special: Ids.
        tts_bos: `[1, D]`, the projected embedding of this text token.
        tts_eos: `[1, D]`.
        tts_pad: `[1, D]`.
    """

    text_embedding: Tensor
    expand: tuple[Tensor, Tensor]
    contract: tuple[Tensor, Tensor]
    talker: TalkerWeights
    special: SpecialCodes
    tts_bos: Tensor
    tts_eos: Tensor
    tts_pad: Tensor

    @classmethod
    def read(cls, parameters: Parameters, config: Document, talker: TalkerWeights) -> PromptWeights:
        """Read the text embedding and its projection.

        Args:
            parameters: Those of the whole model.
            config: config.json.
            talker: Has the codec embeddings.

        Raises:
            LoadError: A tensor is missing, or has another shape than `config` says.
        """
        talker_config = completed(config["talker_config"], TALKER_DEFAULTS, TALKER)
        read_fields(talker_config, TALKER, {"text_vocab_size": POSITIVE})
        text = talker_config["text_vocab_size"], talker_config["text_hidden_size"]
        width = talker_config["hidden_size"]
        embedding = parameters.read("talker.model.text_embedding.weight", *text)
        expand = parameters.linear("talker.text_projection.linear_fc1", text[1], text[1])
        contract = parameters.linear("talker.text_projection.linear_fc2", width, text[1])
        ids = read_text_ids(config, text[0])
        tokens = _project(torch.tensor(ids, device=embedding.device), embedding, expand, contract)
        special = SpecialCodes.read(talker_config)
        return cls(embedding, expand, contract, talker, special, *tokens.split(1))

    def text(self, ids: Tensor) -> Tensor:
        """Return the projected embeddings of text tokens: int64 `[T]` -> `[T, D]`."""
        return _project(ids, self.text_embedding, self.expand, self.contract)


def _project(
    ids: Tensor, table: Tensor, expand: tuple[Tensor, Tensor], contract: tuple[Tensor, Tensor]
) -> Tensor:
    middle = functional.silu(functional.linear(functional.embedding(ids, table), *expand))
    return functional.linear(middle, *contract)


@dataclass(frozen=True)
class ClonedVoice:
    """A voice from a recording.

    Attributes:
        speaker: `[D]`, the speaker encoder's embedding (x-vector).
        reference_ids: `[T]` int64: the recording's text in `REFERENCE_TEMPLATE`; None where the
            prompt is to have the embedding alone.
        reference_codes: `[F, G]` int64: the recording's frames; None likewise.
    """

    speaker: Tensor
    reference_ids: Tensor | None = None
    reference_codes: Tensor | None = None


@dataclass(frozen=True)
class TalkerPrompt:
    """What one utterance begins with.

    Attributes:
        embeds: `[T, D]` in the model's dtype: the prefill.
        trailing_text: `[N, D]`: the text embeddings of the first N frames; later frames have that
            of tts_pad. N may be 0.
        min_codes: Before so many codes 0 the end of speech is forbidden.
        num_shared: How many positions of the prefill, less than T, do not depend on the text.
            Nor do their keys and values, since attention is causal.
    """

    embeds: Tensor
    trailing_text: Tensor
    min_codes: int = MIN_NEW_TOKENS
    num_shared: int = 0


def build_prompt(
    weights: PromptWeights,
    text_ids: Sequence[int],
    *,
    language: str,
    non_streaming_mode: bool,
    voice: str | ClonedVoice | None = None,
    instruct_ids: Sequence[int] = (),
    apart: bool = False,
) -> TalkerPrompt:
    """Build the prompt of one utterance; nothing waits for the device.

    Args:
        weights: Tell the device and the dtype.
        text_ids: The text in `SPEECH_TEMPLATE`, at least one token of text.
        language: In lower case, or `auto`.
        non_streaming_mode: Whether all text is in the prefill; else one token is in each frame.
        voice: A speaker's name (custom_voice), a recording's (base), or none
            (voice_design).
        instruct_ids: An instruction in `INSTRUCTION_TEMPLATE`, where the model takes one
            (`ModelCard.takes_instruct`).
        apart: Let shared positions not depend on the text even by rounding, which takes longer.

    Raises:
        ValueError: There is no such language or speaker.
    """
    ids = [*instruct_ids, *text_ids[:-_SPEECH_END]]
    num_opening = len(instruct_ids) + _ROLE
    layout = _Layout.announcing(weights.special, num_opening, len(ids), language, voice)
    num_shared = len(layout.rows)
    if isinstance(voice, ClonedVoice) and voice.reference_ids is not None:
        rows, embeds = layout.embed(weights, ids, voice, apart=apart)
        text = rows[num_opening : len(ids)]
        body, trailing = _continuation(weights, voice, text, non_streaming_mode)
        num_reference = voice.reference_ids.shape[0] - _ROLE - _REFERENCE_END
        num_shared += min(num_reference, body.shape[0] - 1)
        return TalkerPrompt(torch.cat((embeds, body)), trailing, num_shared=num_shared)
    pad, bos = weights.special.pad, weights.special.bos
    if non_streaming_mode:  # the text and tts_eos, then tts_pad
        layout.add([*range(num_opening, layout.eos + 1)], pad)
        layout.add([layout.pad], bos)
        first_trailing = layout.eos + 1
    else:
        layout.add([num_opening], bos)
        first_trailing = num_opening + 1
    rows, embeds = layout.embed(weights, ids, voice, apart=apart)
    return TalkerPrompt(embeds, rows[first_trailing : layout.eos + 1], num_shared=num_shared)


@dataclass(frozen=True)
class _Layout:
    """What is summed at each position of a prompt, said on the host; one copy sends it.

    Attributes:
        num_opening: How many positions are text alone: the instruction and the role.
        eos: The row of tts_eos, behind those of the opening and the text; tts_bos and tts_pad
            follow.
        rows: The row of text of each position.
        codes: The codec id of each position behind the opening; None: the speaker's embedding.
    """

    num_opening: int
    eos: int
    rows: list[int]
    codes: list[int | None]

    @property
    def pad(self) -> int:
        """The row of tts_pad."""
        return self.eos + 2

    @classmethod
    def announcing(
        cls,
        special: SpecialCodes,
        num_opening: int,
        num_ids: int,
        language: str,
        voice: str | ClonedVoice | None,
    ) -> _Layout:
        """Return the opening, and what tells language and speaker: tts_pad, at last tts_bos."""
        codes: list[int | None] = [
            *special.tag(language, voice if isinstance(voice, str) else None)
        ]
        if voice is not None:
            codes.append(special.speaker_id(voice) if isinstance(voice, str) else None)
        layout = cls(num_opening, num_ids, [*range(num_opening)], codes)
        layout.rows.extend([layout.pad] * len(codes))
        layout.add([layout.eos + 1], special.pad)
        return layout

    def add(self, rows: list[int], code: int) -> None:
        """Add positions that have the same code."""
        self.rows.extend(rows)
        self.codes.extend([code] * len(rows))

    def embed(
        self,
        weights: PromptWeights,
        ids: list[int],
        voice: str | ClonedVoice | None,
        *,
        apart: bool,
    ) -> tuple[Tensor, Tensor]:
        """Return the rows of text, and the sum at each position."""
        known = {
            place: code
            for place, code in enumerate(self.codes, self.num_opening)
            if code is not None
        }
        sent = to_device([*ids, *self.rows, *known, *known.values()], weights.tts_pad.device)
        tokens, rows, places, codes = sent.split([len(ids), len(self.rows), len(known), len(known)])
        cut = [self.num_opening, len(ids) - self.num_opening] if apart else [len(ids)]
        text = [weights.text(part) for part in tokens.split(cut)]
        heard = torch.cat((*text, weights.tts_eos, weights.tts_bos, weights.tts_pad))
        embeds = heard.index_select(0, rows)
        embeds.index_add_(0, places, weights.talker.code_embeddings.index_select(0, codes))
        if isinstance(voice, ClonedVoice):
            embeds[self.num_opening + self.codes.index(None)] += voice.speaker.to(embeds)
        return heard, embeds


def _continuation(
    weights: PromptWeights, voice: ClonedVoice, text: Tensor, non_streaming_mode: bool
) -> tuple[Tensor, Tensor]:
    """Make the utterance continue a recording, whose text and frames come first.

    Returns the prefill's embeddings and the trailing text.
    Source: upstream's `generate_icl_prompt`.
    """
    assert voice.reference_ids is not None
    if voice.reference_codes is None:
        raise ValueError("A recording's text needs its codes.")
    table = weights.talker.code_embeddings
    pad, bos = (table[code : code + 1] for code in (weights.special.pad, weights.special.bos))
    reference = weights.text(voice.reference_ids[_ROLE:-_REFERENCE_END])
    spoken = torch.cat((reference, text, weights.tts_eos))
    heard = torch.cat((bos, weights.talker.embed_frame(voice.reference_codes)))
    if non_streaming_mode:
        return torch.cat((spoken + pad, heard + weights.tts_pad)), text[:0]
    num_missing = max(heard.shape[0] - spoken.shape[0], 0)
    spoken = torch.cat((spoken, weights.tts_pad.expand(num_missing, -1)))
    return spoken[: heard.shape[0]] + heard, spoken[heard.shape[0] :]

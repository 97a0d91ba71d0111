"""Turn token ids into the talker's input: embeddings of the prefill, and text of later frames.

Each position's embedding is the sum of a text embedding and a codec embedding, except for the role
and an instruction, which have text only. What is summed is said on the host; `PromptWeights.embed`
or a fused kernel (`kernels.embedding`) sums it.

Source: upstream's `Qwen3TTSForConditionalGeneration.generate` up to the call of `talker.generate`,
for one utterance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

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


NONE, GIVEN = -1, -2
"""In place of a codec id: nothing is added to the text, or the next row of `TalkerPrompt.given`."""


class TextIds(NamedTuple):
    """Text tokens that are no text."""

    bos: int
    eos: int
    pad: int


@dataclass(frozen=True)
class TalkerPrompt:
    """What one utterance begins with, as ids.

    Attributes:
        text: The text token of each of the prefill's T positions.
        codes: The codec id of each, `NONE` or `GIVEN`.
        given: `[n, D]` in the model's dtype: what is added where it is given, in order; None where
            nothing is.
        trailing_text: The text tokens of the first frames; later frames have tts_pad. It may be
            empty.
        min_codes: Before so many codes 0 the end of speech is forbidden.
        num_shared: How many positions of the prefill, less than T, do not depend on the text.
            Nor do their keys and values, since attention is causal.
    """

    text: Sequence[int]
    codes: Sequence[int]
    given: Tensor | None = None
    trailing_text: Sequence[int] = ()
    min_codes: int = MIN_NEW_TOKENS
    num_shared: int = 0

    @property
    def num_positions(self) -> int:
        """How many positions the prefill has."""
        return len(self.text)


@dataclass(frozen=True)
class PromptWeights:
    """Turns text tokens and codec ids into embeddings.

    Attributes:
        text_embedding: `[V_text, D_text]`.
        expand: Weight and bias of the text projection's first half.
        contract: Of its second half, to D.
        talker: Has the codec embeddings.
        special: Ids of the codec vocabulary.
        text_ids: Ids of the text vocabulary.
        tts_pad: `[1, D]`: the projected embedding of this text token.
    """

    text_embedding: Tensor
    expand: tuple[Tensor, Tensor]
    contract: tuple[Tensor, Tensor]
    talker: TalkerWeights
    special: SpecialCodes
    text_ids: TextIds
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
        ids = TextIds(*read_text_ids(config, text[0]))
        pad = torch.tensor([ids.pad], device=embedding.device)
        tts_pad = _project(pad, embedding, expand, contract)
        special = SpecialCodes.read(talker_config)
        return cls(embedding, expand, contract, talker, special, ids, tts_pad)

    def embed_text(self, ids: Sequence[int]) -> Tensor:
        """Return the projected embeddings of text tokens, `[n, D]`; of none, without a launch."""
        if not ids:
            return self.tts_pad[:0]
        return self.project(to_device(ids, self.tts_pad.device))

    def embed(self, prompt: TalkerPrompt) -> Tensor:
        """Return the embeddings of a prefill, `[T, D]`; nothing waits for the device.

        Each text token is projected once, however often it is there.
        """
        tokens = {token: row for row, token in enumerate(dict.fromkeys(prompt.text))}
        known = {place: code for place, code in enumerate(prompt.codes) if code >= 0}
        parts: list[list[int]] = [
            [*tokens],
            [tokens[token] for token in prompt.text],
            [*known],
            [*known.values()],
            [place for place, code in enumerate(prompt.codes) if code == GIVEN],
        ]
        sent = to_device([number for part in parts for number in part], self.tts_pad.device)
        ids, rows, places, codes, given = sent.split([len(part) for part in parts])
        embeds = self.project(ids).index_select(0, rows)
        embeds.index_add_(0, places, self.talker.code_embeddings.index_select(0, codes))
        if prompt.given is not None:
            embeds.index_add_(0, given, prompt.given)
        return embeds

    def project(self, ids: Tensor) -> Tensor:
        """Return the projected embeddings of text tokens: int64 `[n]` -> `[n, D]`."""
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
        reference_ids: The recording's text in `REFERENCE_TEMPLATE`; None where the prompt is to
            have the embedding alone.
        reference_codes: `[F, G]` int64: the recording's frames; None likewise.
    """

    speaker: Tensor
    reference_ids: Sequence[int] | None = None
    reference_codes: Tensor | None = None


def build_prompt(
    weights: PromptWeights,
    text_ids: Sequence[int],
    *,
    language: str,
    non_streaming_mode: bool,
    voice: str | ClonedVoice | None,
    instruct_ids: Sequence[int] = (),
) -> TalkerPrompt:
    """Build the prompt of one utterance; nothing waits for the device.

    Args:
        weights: Tell the ids, the device and the dtype.
        text_ids: The text in `SPEECH_TEMPLATE`, at least one token of text.
        language: In lower case, or `auto`.
        non_streaming_mode: Whether all text is in the prefill; else one token is in each frame.
        voice: A speaker's name (custom_voice), a recording's (base), or none
            (voice_design).
        instruct_ids: An instruction in `INSTRUCTION_TEMPLATE`, where the model takes one
            (`ModelCard.takes_instruct`).

    Raises:
        ValueError: There is no such language or speaker.
    """
    special, ids = weights.special, weights.text_ids
    name = voice if isinstance(voice, str) else None
    layout = _Layout()
    layout.add([*instruct_ids, *text_ids[:_ROLE]], NONE)
    for code in special.tag(language, name):
        layout.add([ids.pad], code)
    if voice is not None:
        layout.add([ids.pad], GIVEN if name is None else special.speaker_id(name))
    layout.add([ids.bos], special.pad)
    text = [*text_ids[_ROLE:-_SPEECH_END], ids.eos]
    if isinstance(voice, ClonedVoice):
        return _clone(layout, weights, voice, text, non_streaming_mode)
    num_shared = len(layout.text)
    trailing = layout.speak(text, weights, non_streaming_mode)
    return TalkerPrompt(layout.text, layout.codes, None, trailing, num_shared=num_shared)


class _Layout:
    """What is summed at each position of a prompt.

    Attributes:
        text: As `TalkerPrompt`.
        codes: Likewise.
    """

    def __init__(self) -> None:
        self.text: list[int] = []
        self.codes: list[int] = []

    def add(self, text: Sequence[int], code: int) -> None:
        """Add positions that have the same code."""
        self.text.extend(text)
        self.codes.extend([code] * len(text))

    def speak(
        self, text: Sequence[int], weights: PromptWeights, non_streaming_mode: bool
    ) -> Sequence[int]:
        """Add the text and the beginning of speech; return the text that trails."""
        special, ids = weights.special, weights.text_ids
        if non_streaming_mode:
            self.add(text, special.pad)
            self.add([ids.pad], special.bos)
            return ()
        self.add(text[:1], special.bos)
        return text[1:]


def _clone(
    layout: _Layout,
    weights: PromptWeights,
    voice: ClonedVoice,
    text: Sequence[int],
    non_streaming_mode: bool,
) -> TalkerPrompt:
    """Complete the prompt of a voice from a recording: if its text is known, as what continues it.

    Source: upstream's `generate_icl_prompt`.
    """
    given = voice.speaker.to(weights.tts_pad).unsqueeze(0)
    num_shared = num_opening = len(layout.text)
    if voice.reference_ids is None:
        trailing = layout.speak(text, weights, non_streaming_mode)
        return TalkerPrompt(layout.text, layout.codes, given, trailing, num_shared=num_shared)
    if voice.reference_codes is None:
        raise ValueError("A recording's text needs its codes.")
    reference, pad = voice.reference_ids[_ROLE:-_REFERENCE_END], weights.text_ids.pad
    trailing = layout.speak([*reference, *text], weights, non_streaming_mode)
    num_frames = voice.reference_codes.shape[0]
    heard = trailing[:num_frames]
    layout.add([*heard, *[pad] * (num_frames - len(heard))], GIVEN)
    num_shared += min(len(reference), len(layout.text) - num_opening - 1)
    return TalkerPrompt(
        layout.text,
        layout.codes,
        torch.cat((given, weights.talker.embed_frame(voice.reference_codes))),
        trailing[num_frames:],
        num_shared=num_shared,
    )

"""Turn token ids into the talker's input: embeddings of the prefill, and text of later frames.

Each position's embedding is the sum of a text embedding and a codec embedding, except for the role
and an instruction, which have text only.

Source: upstream's `Qwen3TTSForConditionalGeneration.generate` up to the call of `talker.generate`,
for one utterance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from qwen_tts_api.checkpoints.documents import POSITIVE, Document, read_fields
from qwen_tts_api.checkpoints.transformer_config import TALKER, TALKER_DEFAULTS, completed
from qwen_tts_api.checkpoints.voice_names import TalkerVoices, check_rows, read_text_ids
from qwen_tts_api.model.sampling import MIN_NEW_TOKENS
from qwen_tts_api.model.talker import TalkerWeights
from qwen_tts_api.model.weights.parameters import Parameters
from qwen_tts_api.names import fold

SPEECH_TEMPLATE = "<|im_start|>assistant\n{}<|im_end|>\n<|im_start|>assistant\n"
REFERENCE_TEMPLATE = "<|im_start|>assistant\n{}<|im_end|>\n"
INSTRUCTION_TEMPLATE = "<|im_start|>user\n{}<|im_end|>\n"

# How many ids of the templates come before the text, and after it.
_ROLE = 3
_SPEECH_END = 5
_REFERENCE_END = 2
SPEECH_TEMPLATE_TOKENS = _ROLE + _SPEECH_END


@dataclass(frozen=True)
class SpecialCodes:
    """Ids of the talker's codec vocabulary that are not codes, and the voices it knows.

    Attributes:
        pad, bos, think, nothink, think_bos, think_eos: Ids of `codec_pad_id` and so on.
        speakers: Id by name, as `names.fold` has it.
        languages: Likewise, dialects included.
        dialects: The dialect of each speaker that has one, likewise.
    """

    pad: int
    bos: int
    think: int
    nothink: int
    think_bos: int
    think_eos: int
    speakers: Mapping[str, int]
    languages: Mapping[str, int]
    dialects: Mapping[str, str]

    @classmethod
    def read(cls, config: Document) -> SpecialCodes:
        """Read them from config.json's `talker_config`.

        Raises:
            LoadError: An id is beyond the talker's codec embedding.
        """
        config = completed(config, TALKER_DEFAULTS, TALKER)
        voices = TalkerVoices.read(config)
        names = ("pad", "bos", "think", "nothink", "think_bos", "think_eos")
        ids = {name: config[f"codec_{name}_id"] for name in names}
        check_rows(
            {
                **{f"codec_{name}_id": index for name, index in ids.items()},
                "codec_eos_token_id": config["codec_eos_token_id"],
                **{f"the id of the speaker {name}": i for name, i in voices.speaker_ids.items()},
                **{f"the id of the language {name}": i for name, i in voices.language_ids.items()},
            },
            config["vocab_size"],
            f"{TALKER}.vocab_size",
        )
        return cls(
            **ids,
            speakers={fold(name): index for name, index in voices.speaker_ids.items()},
            languages=voices.language_ids,
            dialects={fold(name): dialect for name, dialect in voices.dialects.items()},
        )

    def tag(self, language: str, speaker: str | None) -> list[int]:
        """Return the ids that tell the language, which may be `auto`; a speaker in any case.

        A speaker's dialect replaces Chinese and `auto`, but no other language.

        Raises:
            ValueError: There is no such language.
        """
        if language in ("chinese", "auto") and speaker is not None:
            language = self.dialects.get(fold(speaker), language)
        if language == "auto":
            return [self.nothink, self.think_bos, self.think_eos]
        if language not in self.languages:
            raise ValueError(f"No language {language!r}; there are {', '.join(self.languages)}.")
        return [self.think, self.think_bos, self.languages[language], self.think_eos]

    def speaker_id(self, speaker: str) -> int:
        """Return a speaker's id; the name is in any case.

        Raises:
            ValueError: There is no such speaker.
        """
        if fold(speaker) not in self.speakers:
            raise ValueError(f"No speaker {speaker!r}; there are {', '.join(self.speakers)}.")
        return self.speakers[fold(speaker)]


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

    def codec(self, ids: list[int]) -> Tensor:
        """Return the codec embeddings of ids, `[len(ids), D]`; no ids are sent to the device."""
        table = self.talker.code_embeddings
        return torch.cat([table[index : index + 1] for index in ids])


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
    text_ids: Tensor,
    *,
    language: str,
    non_streaming_mode: bool,
    voice: str | ClonedVoice | None = None,
    instruct_ids: Tensor | None = None,
    apart: bool = False,
) -> TalkerPrompt:
    """Build the prompt of one utterance.

    Args:
        weights: Tell the device and the dtype.
        text_ids: `[T]` int64: the text in `SPEECH_TEMPLATE`, at least one token of text.
        language: In lower case, or `auto`.
        non_streaming_mode: Whether all text is in the prefill; else one token is in each frame.
        voice: A speaker's name (custom_voice), a recording's (base), or none
            (voice_design).
        instruct_ids: `[T]` int64: an instruction in `INSTRUCTION_TEMPLATE`, where the model takes
            one (`ModelCard.takes_instruct`).
        apart: Let shared positions not depend on the text even by rounding, which takes longer.

    Raises:
        ValueError: There is no such language or speaker.
    """
    instruct = text_ids[:0] if instruct_ids is None else instruct_ids
    ids = torch.cat((instruct, text_ids[:-_SPEECH_END]))
    sizes = [instruct.shape[0] + _ROLE, text_ids.shape[0] - _ROLE - _SPEECH_END]
    opening, text = map(weights.text, ids.split(sizes)) if apart else weights.text(ids).split(sizes)
    announcement = _announcement(weights, language, voice)
    num_shared = opening.shape[0] + announcement.shape[0]
    if isinstance(voice, ClonedVoice) and voice.reference_ids is not None:
        body, trailing = _continuation(weights, voice, text, non_streaming_mode)
        num_reference = voice.reference_ids.shape[0] - _ROLE - _REFERENCE_END
        num_shared += min(num_reference, body.shape[0] - 1)
    elif non_streaming_mode:
        body, trailing = _whole_text(weights, text), text[:0]
    else:
        body = text[:1] + weights.codec([weights.special.bos])
        trailing = torch.cat((text[1:], weights.tts_eos))
    return TalkerPrompt(torch.cat((opening, announcement, body)), trailing, num_shared=num_shared)


def _announcement(weights: PromptWeights, language: str, voice: str | ClonedVoice | None) -> Tensor:
    """Return the embeddings that tell language and speaker, `[3 to 6, D]`.

    Their text is tts_pad, except for the last, which has tts_bos.
    """
    special = weights.special
    name = voice if isinstance(voice, str) else None
    parts = [weights.codec(special.tag(language, name))]
    if name is not None:
        parts.append(weights.codec([special.speaker_id(name)]))
    elif isinstance(voice, ClonedVoice):
        parts.append(voice.speaker.to(weights.tts_pad).unsqueeze(0))
    parts.append(weights.codec([special.pad]))
    codec = torch.cat(parts)
    return torch.cat((weights.tts_pad.expand(codec.shape[0] - 1, -1), weights.tts_bos)) + codec


def _whole_text(weights: PromptWeights, text: Tensor) -> Tensor:
    """Return the text and tts_eos, each plus codec_pad, then tts_pad plus codec_bos."""
    pad, bos = weights.codec([weights.special.pad, weights.special.bos]).split(1)
    return torch.cat((text + pad, weights.tts_eos + pad, weights.tts_pad + bos))


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
    pad, bos = weights.codec([weights.special.pad, weights.special.bos]).split(1)
    reference = weights.text(voice.reference_ids[_ROLE:-_REFERENCE_END])
    spoken = torch.cat((reference, text, weights.tts_eos))
    heard = torch.cat((bos, weights.talker.embed_frame(voice.reference_codes)))
    if non_streaming_mode:
        return torch.cat((spoken + pad, heard + weights.tts_pad)), text[:0]
    num_missing = max(heard.shape[0] - spoken.shape[0], 0)
    spoken = torch.cat((spoken, weights.tts_pad.expand(num_missing, -1)))
    return spoken[: heard.shape[0]] + heard, spoken[heard.shape[0] :]

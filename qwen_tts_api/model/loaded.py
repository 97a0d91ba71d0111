"""A checkpoint in memory: its weights and its tokenizer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from qwen_tts_api.checkpoints.card import TOKENIZER_TYPE, ModelCard
from qwen_tts_api.checkpoints.checkpoint import CODEC, Checkpoint
from qwen_tts_api.checkpoints.documents import Document
from qwen_tts_api.checkpoints.tokenizer import PromptTokenizer
from qwen_tts_api.checkpoints.transformer_config import TALKER, TALKER_DEFAULTS, completed
from qwen_tts_api.errors import LoadError
from qwen_tts_api.model.codec.loading import read_codec
from qwen_tts_api.model.codec.weights import CodecWeights
from qwen_tts_api.model.frame_state import SpeechModel
from qwen_tts_api.model.prompt import (
    INSTRUCTION_TEMPLATE,
    REFERENCE_TEMPLATE,
    SPEECH_TEMPLATE,
    SPEECH_TEMPLATE_TOKENS,
    ClonedVoice,
    PromptWeights,
    TalkerPrompt,
    build_prompt,
)
from qwen_tts_api.model.sampling import NUM_SPECIAL_IDS
from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ, SAMPLES_PER_FRAME, Prompt, Reference
from qwen_tts_api.model.voice.cloning import Clone, clone
from qwen_tts_api.model.voice.encoders import VoiceEncoders, check_preprocessor
from qwen_tts_api.model.weights.parameters import Parameters, storage_bytes
from qwen_tts_api.model.weights.placement import Placement

logger = logging.getLogger(__name__)

WEIGHTS = "model.safetensors"

UNKNOWN = 2**31
"""More codes 0 than any utterance has: while it is not known how many its text has tokens."""


@dataclass(frozen=True)
class LoadedModel:
    """A checkpoint in memory.

    Attributes:
        card: What the model can do.
        placement: Where it computes.
        tokenizer: The text tokenizer.
        speech: The weights of talker and code predictor.
        prompts: Turns text into the talker's input.
        codec: The weights of the decoder from frames to samples.
        encoders: Turn a recording into a voice; None except for the kind base.
        eos: The code 0 that ends an utterance.
    """

    card: ModelCard
    placement: Placement
    tokenizer: PromptTokenizer
    speech: SpeechModel
    prompts: PromptWeights
    codec: CodecWeights
    encoders: VoiceEncoders | None
    eos: int

    @classmethod
    def load(cls, checkpoint: Checkpoint, placement: Placement) -> LoadedModel:
        """Load a checkpoint's weights.

        Raises:
            LoadError: A file is missing or damaged, it is of a kind that is not served, or the
                device has too little memory.
        """
        folder, dtype = checkpoint.folder, placement.torch_dtype
        try:
            return cls.read_weights(
                checkpoint,
                placement,
                lambda name: Parameters.of_files(folder, name, placement.device, dtype),
            )
        except torch.OutOfMemoryError as error:
            raise LoadError(
                f"{placement.device} has too little memory for {folder}: {error} Stop what else "
                "runs there, or set QWEN_MODEL_ID to a smaller checkpoint."
            ) from error
        except OSError as error:
            raise LoadError(f"{error.filename} cannot be read: {error.strerror}.") from error

    @classmethod
    def read_weights(
        cls,
        checkpoint: Checkpoint,
        placement: Placement,
        open_weights: Callable[[str], Parameters],
    ) -> LoadedModel:
        """Read the tensors that `open_weights` returns for a file name.

        Raises:
            LoadError: As `load`.
        """
        if checkpoint.card.kind == "base":
            check_preprocessor(checkpoint.preprocessor)
        return cls.read(
            checkpoint.card,
            placement,
            checkpoint.tokenizer,
            (open_weights(WEIGHTS), checkpoint.config),
            (open_weights(f"{CODEC}/{WEIGHTS}"), checkpoint.codec_config),
        )

    @classmethod
    def read(
        cls,
        card: ModelCard,
        placement: Placement,
        tokenizer: PromptTokenizer,
        model: tuple[Parameters, Document],
        codec: tuple[Parameters, Document],
    ) -> LoadedModel:
        """Read a checkpoint's tensors.

        Args:
            card: What the model can do.
            placement: Where it is to compute.
            tokenizer: The text tokenizer.
            model: The model's tensors, and its config.json.
            codec: The codec's tensors, and its config.json.

        Raises:
            LoadError: A tensor or a field is missing or of a kind that is not served.
        """
        (parameters, config), (codec_parameters, codec_config) = model, codec
        _check_codec(codec_config)
        speech = SpeechModel.read(parameters.within("talker"), config["talker_config"])
        loaded = cls(
            card=card,
            placement=placement,
            tokenizer=tokenizer,
            speech=speech,
            prompts=PromptWeights.read(parameters, config, speech.talker),
            codec=read_codec(
                codec_parameters.within("decoder"), codec_config.get("decoder_config") or {}
            ),
            encoders=VoiceEncoders.read(*model, *codec) if card.kind == "base" else None,
            eos=completed(config["talker_config"], TALKER_DEFAULTS, TALKER)["codec_eos_token_id"],
        )
        _check_codes(loaded)
        return loaded

    @property
    def num_bytes(self) -> int:
        """How much memory the weights take, with what is precomputed from them."""
        return storage_bytes((self.speech, self.prompts, self.codec, self.encoders))

    def clone(self, reference: Reference) -> Clone:
        """Turn a recording into a voice (base)."""
        assert self.encoders is not None
        ids = self.tokenizer.encode(REFERENCE_TEMPLATE, reference.text)
        return clone(self.encoders, self.codec, reference, ids)

    def build(self, prompt: Prompt, clone: ClonedVoice | None) -> tuple[TalkerPrompt, int]:
        """Return the talker's input for a prompt, and the number of tokens of its text.

        All text is in the prefill, unless the prompt wants it in frames, as upstream's default is
        for a cloned voice. Of a text that is unfinished it has the tokens that do not depend on
        what follows; where it arrives, its utterance does not end before it has heard all of it.
        """
        text = self.tokenizer.stable_prefix(prompt.text) if prompt.unfinished else prompt.text
        encode, instruct = self.tokenizer.encode, prompt.instruct
        text_ids = encode(SPEECH_TEMPLATE, text)
        built = build_prompt(
            self.prompts,
            text_ids,
            language=prompt.language,
            non_streaming_mode=not prompt.text_in_frames,
            voice=clone or prompt.speaker,
            instruct_ids=encode(INSTRUCTION_TEMPLATE, instruct) if instruct else (),
        )
        num_tokens = len(text_ids) - SPEECH_TEMPLATE_TOKENS
        if prompt.unfinished:
            built = replace(built, trailing_text=built.trailing_text[:-1], min_codes=UNKNOWN)
        elif prompt.arriving is not None:
            built = replace(built, min_codes=num_tokens)
        return built, num_tokens


def judge(folder: Path, config: Document | None = None) -> Checkpoint:
    """Check whether a checkpoint can be served, and return it; no weights are read.

    Args:
        folder: Of the checkpoint.
        config: Its config.json, where it has been read already.

    Raises:
        LoadError: As `Checkpoint.read` and `LoadedModel.load`, in one sentence.
    """
    try:
        checkpoint = Checkpoint.read(folder, config)
        LoadedModel.read_weights(
            checkpoint,
            Placement("cpu", "float32", "sdpa"),
            lambda name: Parameters.of_headers(folder, name, torch.float32),
        )
    except LoadError:
        raise
    except OSError as error:
        raise LoadError(f"{error.filename} cannot be read: {error.strerror}.") from error
    except Exception as error:  # a boundary: whatever a strange checkpoint makes libraries raise
        logger.debug("validating %s failed", folder, exc_info=True)
        said = next(iter(str(error).splitlines()), "")
        raise LoadError(f"{folder} cannot be served: {type(error).__name__}: {said}.") from error
    return checkpoint


def _check_codec(config: Document) -> None:
    rate_hz = config.get("output_sample_rate", SAMPLE_RATE_HZ)
    if rate_hz != SAMPLE_RATE_HZ:
        raise LoadError(f"The codec makes {rate_hz} Hz; {SAMPLE_RATE_HZ} Hz are served.")
    model_type = config.get("model_type", TOKENIZER_TYPE)
    if model_type != TOKENIZER_TYPE:
        raise LoadError(
            f"speech_tokenizer/config.json describes a {model_type!r}; served is "
            f"{TOKENIZER_TYPE!r}."
        )


def _check_codes(model: LoadedModel) -> None:
    """Refuse a codec whose tables are smaller than the models' vocabularies."""
    codec, predictor = model.codec, model.speech.code_predictor
    if codec.samples_per_frame != SAMPLES_PER_FRAME:
        raise LoadError(
            f"The codec makes {codec.samples_per_frame} samples of a frame; {SAMPLES_PER_FRAME} "
            "are served."
        )
    if codec.num_code_groups != predictor.num_code_groups:
        raise LoadError(
            f"A frame has {predictor.num_code_groups} codes (num_code_groups), and the codec "
            f"reads {codec.num_code_groups} (num_quantizers)."
        )
    num_entries = codec.tables.shape[0] // codec.num_code_groups
    num_codes = max(predictor.vocabulary, model.speech.talker.vocabulary - NUM_SPECIAL_IDS)
    if num_codes > num_entries:
        raise LoadError(
            f"The models make codes below {num_codes} (vocab_size), and the codec knows those "
            f"below {num_entries} (codebook_size)."
        )

"""A checkpoint in memory: qwen-tts loads it, and our own functions compute with its tensors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from qwen_tts_api.errors import LoadError
from qwen_tts_api.model.checkpoint import ModelCard
from qwen_tts_api.model.cloning import Clone, clone
from qwen_tts_api.model.codec_weights import CodecWeights
from qwen_tts_api.model.placement import Placement, to_device
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
from qwen_tts_api.model.qwen_tts_import import import_qwen_tts
from qwen_tts_api.model.rows import SpeechModel
from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ, Prompt, Reference


@dataclass
class LoadedModel:
    """The tensors of a checkpoint, by what they are for, shared with upstream's modules.

    Attributes:
        card: What the model can do.
        placement: Where it computes.
        wrapper: Upstream's `Qwen3TTSModel`. It owns the parameters, and still works.
        speech: Talker and code predictor.
        prompts: What turns text into the talker's input.
        codec: The decoder from frames to samples.
        eos: The code 0 that ends an utterance.
    """

    card: ModelCard
    placement: Placement
    wrapper: Any
    speech: SpeechModel
    prompts: PromptWeights
    codec: CodecWeights
    eos: int

    @classmethod
    def load(cls, folder: Path, card: ModelCard, placement: Placement) -> LoadedModel:
        """Load a checkpoint in the published format.

        Raises:
            LoadError: The device has too little memory.
            Exception: Whatever upstream raises where a file is missing or damaged.
        """
        qwen_tts = import_qwen_tts()
        try:
            wrapper = qwen_tts.Qwen3TTSModel.from_pretrained(
                str(folder),
                device_map=placement.device,
                dtype=placement.torch_dtype,
                attn_implementation=placement.attention,
            )
        except torch.OutOfMemoryError as error:
            raise LoadError(
                f"{placement.device} has too little memory for {folder}: {error} Stop what else "
                "runs there, or set QWEN_MODEL_ID to a smaller checkpoint."
            ) from error
        return cls.take_over(wrapper, card, placement)

    @classmethod
    def take_over(cls, wrapper: Any, card: ModelCard, placement: Placement) -> LoadedModel:
        """Share the tensors of an upstream `Qwen3TTSModel`, which still works afterwards.

        Raises:
            LoadError: Its codec has another sample rate than 24 kHz.
        """
        model, tokenizer = wrapper.model, wrapper.model.speech_tokenizer
        rate_hz = tokenizer.get_output_sample_rate()
        if rate_hz != SAMPLE_RATE_HZ:
            raise LoadError(f"The codec makes {rate_hz} Hz; {SAMPLE_RATE_HZ} Hz are served.")
        speech = SpeechModel.from_upstream(model.talker)
        return cls(
            card=card,
            placement=placement,
            wrapper=wrapper,
            speech=speech,
            prompts=PromptWeights.from_upstream(model, speech.talker),
            codec=CodecWeights.from_upstream(tokenizer.model.decoder),
            eos=model.config.talker_config.codec_eos_token_id,
        )

    def tokenize(self, text: str) -> Tensor:
        """Return the ids of a text, special tokens included: `[T]` int64 on the model's device."""
        ids = self.wrapper.processor.tokenizer(text)["input_ids"]
        return to_device(ids, torch.device(self.placement.device))

    def clone(self, reference: Reference) -> Clone:
        """Make a voice of a recording (base)."""
        ids = self.tokenize(REFERENCE_TEMPLATE.format(reference.text))
        return clone(self.wrapper, self.codec, reference, ids)

    def build(self, prompt: Prompt, clone: ClonedVoice | None) -> tuple[TalkerPrompt, int]:
        """Return what the talker reads for a prompt, and how many tokens its text has.

        As upstream's defaults are, all of the text is in the prefill, but for a cloned voice, which
        hears a row of it in every frame.
        """
        text_ids = self.tokenize(SPEECH_TEMPLATE.format(prompt.text))
        instruct_ids = None
        if prompt.instruct:
            instruct_ids = self.tokenize(INSTRUCTION_TEMPLATE.format(prompt.instruct))
        built = build_prompt(
            self.prompts,
            text_ids,
            language=prompt.language,
            non_streaming_mode=clone is None,
            voice=clone or prompt.speaker,
            instruct_ids=instruct_ids,
        )
        return built, text_ids.shape[0] - SPEECH_TEMPLATE_TOKENS

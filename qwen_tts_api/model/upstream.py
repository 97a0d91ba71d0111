"""A loaded checkpoint, driven through qwen-tts's own generation calls."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from qwen_tts_api.errors import LoadError
from qwen_tts_api.model.checkpoint import ModelCard
from qwen_tts_api.model.placement import Placement
from qwen_tts_api.model.qwen_tts_import import import_qwen_tts
from qwen_tts_api.model.utterance import GenerationCancelled, Prompt, Utterance

FRAMES_PER_TEXT_TOKEN = 12
MIN_FRAME_BUDGET = 192
"""A text is given 12 frames (0.96 s) a token, at least 192 (15 s): 0.3 to 0.5 % of utterances never
reach the end of speech by themselves, and upstream's limit is eleven minutes of noise."""

# `torch.multinomial` draws from one generator for the whole process: two models that generate at
# the same time would disturb each other's seeds.
_generation_lock = threading.Lock()


class UpstreamModel:
    """One checkpoint in memory. Not thread-safe: upstream keeps state of a call in its modules."""

    def __init__(self, card: ModelCard, placement: Placement, wrapper: Any) -> None:
        self.card = card
        self.placement = placement
        self._wrapper: Any = wrapper

    @classmethod
    def load(cls, folder: Path, card: ModelCard, placement: Placement) -> UpstreamModel:
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
        return cls(card, placement, wrapper)

    def generate(self, prompt: Prompt, cancelled: Callable[[], bool]) -> Utterance:
        """Synthesise one utterance.

        Args:
            prompt: A prompt that suits `card`.
            cancelled: Asked before every frame; True ends the generation.

        Raises:
            GenerationCancelled: `cancelled` returned True.
            torch.OutOfMemoryError: The device is full.
        """

        def stop_if_cancelled(*_: Any) -> None:
            if cancelled():
                raise GenerationCancelled

        max_frames = self._frame_budget(prompt.text)
        talker = self._wrapper.model.talker
        hook = talker.register_forward_pre_hook(stop_if_cancelled)
        try:
            with _generation_lock:
                torch.manual_seed(prompt.seed)
                samples, sample_rate_hz = self._call(prompt, max_frames)
        finally:
            hook.remove()
        frames = round(len(samples) / self._samples_per_frame)
        finish_reason = "length" if frames >= max_frames else "stop"
        return Utterance(samples, sample_rate_hz, finish_reason)

    def warm_up(self) -> None:
        """Pay for lazy initialisation now, not in the first request (not for kind `base`)."""
        if self.card.kind != "base":
            speaker = next(iter(self.card.speakers), None)
            self.generate(Prompt("Hi.", "auto", speaker, "", seed=0), lambda: False)

    def close(self) -> None:
        """Give the memory back."""
        self._wrapper = None
        gc.collect()
        if self.placement.device != "cpu":
            torch.cuda.empty_cache()

    @property
    def _samples_per_frame(self) -> int:
        return int(self._wrapper.model.speech_tokenizer.get_decode_upsample_rate())

    def _frame_budget(self, text: str) -> int:
        tokens = len(self._wrapper.processor.tokenizer(text)["input_ids"])
        return max(MIN_FRAME_BUDGET, FRAMES_PER_TEXT_TOKEN * tokens)

    def _call(self, prompt: Prompt, max_frames: int) -> tuple[npt.NDArray[np.float32], int]:
        # The last token that upstream samples is never expanded into a frame.
        options: dict[str, Any] = {"language": prompt.language, "max_new_tokens": max_frames + 1}
        if self.card.kind == "custom_voice":
            waves, sample_rate_hz = self._wrapper.generate_custom_voice(
                prompt.text, speaker=prompt.speaker, instruct=prompt.instruct or None, **options
            )
        else:
            waves, sample_rate_hz = self._wrapper.generate_voice_design(
                prompt.text, instruct=prompt.instruct, **options
            )
        return waves[0], int(sample_rate_hz)

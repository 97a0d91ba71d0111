"""What makes a voice of a recording: upstream's own encoders, of Base checkpoints only.

They run once for each recording, so their speed does not matter, and their arithmetic is upstream's
by being it. Importing them takes seconds, which other checkpoints are spared.
"""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from qwen_tts_api.errors import LoadError
from qwen_tts_api.model.documents import Document
from qwen_tts_api.model.parameters import Parameters
from qwen_tts_api.model.qwen_tts_import import import_qwen_tts
from qwen_tts_api.model.transformer_config import completed
from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ

ENCODER = "speech_tokenizer/config.json: encoder_config"

_MEL = {"n_fft": 1024, "num_mels": 128, "hop_size": 256, "win_size": 1024, "fmin": 0, "fmax": 12000}


@dataclass(frozen=True)
class VoiceEncoders:
    """The speaker encoder of a model and the encoder of its codec.

    Attributes:
        speaker: Upstream's `Qwen3TTSSpeakerEncoder`.
        codec: Upstream's `Qwen3TTSTokenizerV2Encoder`.
        num_code_groups: How many codes of a frame the codec's encoder makes that the talker reads.
        samples_per_frame: Of the codec's encoder.
    """

    speaker: Any
    codec: Any
    num_code_groups: int
    samples_per_frame: int

    @classmethod
    def read(
        cls, parameters: Parameters, config: Document, codec: Parameters, codec_config: Document
    ) -> VoiceEncoders:
        """Read both.

        Args:
            parameters: Those of the whole model.
            config: Its config.json.
            codec: Those of the whole codec.
            codec_config: Its config.json.

        Raises:
            LoadError: A tensor is missing, or has another shape than the documents say.
        """
        import_qwen_tts()
        from qwen_tts.core.models.configuration_qwen3_tts import Qwen3TTSSpeakerEncoderConfig
        from qwen_tts.core.models.modeling_qwen3_tts import Qwen3TTSSpeakerEncoder
        from qwen_tts.core.tokenizer_12hz.modeling_qwen3_tts_tokenizer_v2 import (
            Qwen3TTSTokenizerV2Encoder,
        )
        from transformers import MimiConfig

        # Upstream's classes write into what they are given.
        speaker_config = deepcopy(config.get("speaker_encoder_config") or {})
        encoder_config = completed(codec_config.get("encoder_config") or {}, {}, ENCODER)
        try:
            speaker = Qwen3TTSSpeakerEncoder(Qwen3TTSSpeakerEncoderConfig(**speaker_config))
            encoder = Qwen3TTSTokenizerV2Encoder._from_config(MimiConfig(**encoder_config))
        except Exception as error:  # a border: whatever fields of a wrong type make libraries raise
            raise LoadError(
                "No encoders can be made of config.json's speaker_encoder_config and "
                f"speech_tokenizer/config.json's encoder_config: {error!r}."
            ) from error
        return cls(
            speaker=_filled(speaker, parameters.within("speaker_encoder")),
            codec=_filled(encoder, codec.within("encoder")),
            num_code_groups=codec_config.get("encoder_valid_num_quantizers", 16),
            samples_per_frame=codec_config.get("encode_downsample_rate", 1920),
        )

    def embed_speaker(self, samples: npt.NDArray[np.float32]) -> Tensor:
        """Return the speaker's embedding (x-vector), `[D]`, of samples at 24 kHz.

        Source: upstream's `extract_speaker_embedding`.
        """
        from qwen_tts.core.models.modeling_qwen3_tts import mel_spectrogram

        audio = torch.from_numpy(samples).unsqueeze(0)
        mels = mel_spectrogram(audio, sampling_rate=SAMPLE_RATE_HZ, **_MEL).transpose(1, 2)
        embedding: Tensor = self.speaker(mels.to(self._like))[0]
        return embedding

    def encode(self, samples: npt.NDArray[np.float32]) -> Tensor:
        """Return the frames of samples at 24 kHz, `[F, G]` int64.

        Source: upstream's `Qwen3TTSTokenizerV2Model.encode`.
        """
        audio = torch.from_numpy(samples)[None, None].to(self._like)
        num_frames = math.ceil(len(samples) / self.samples_per_frame)
        codes = self.codec.encode(input_values=audio, return_dict=True).audio_codes
        frames: Tensor = codes[0, : self.num_code_groups, :num_frames].t().to(torch.int64)
        return frames

    @property
    def _like(self) -> Tensor:
        """A parameter, which has the device and the dtype of all."""
        parameter: Tensor = next(self.speaker.parameters())
        return parameter


def _filled(module: nn.Module, parameters: Parameters) -> nn.Module:
    """Replace a module's tensors by those of a checkpoint."""
    tensors = {name: parameters.read(name, *own.shape) for name, own in module.state_dict().items()}
    module.load_state_dict(tensors, assign=True)
    return module.to(parameters.device).requires_grad_(False).eval()

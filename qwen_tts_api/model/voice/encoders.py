"""The encoders of recordings, of Base checkpoints only: upstream's own modules.

They run once a recording, so their speed does not matter. Importing them takes seconds, so they are
imported only when such a checkpoint is loaded.
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

from qwen_tts_api.checkpoints.documents import Document
from qwen_tts_api.checkpoints.qwen_tts_import import import_qwen_tts
from qwen_tts_api.checkpoints.transformer_config import TALKER_DEFAULTS, completed
from qwen_tts_api.errors import LoadError
from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ, SAMPLES_PER_FRAME
from qwen_tts_api.model.weights.parameters import Parameters

ENCODER = "speech_tokenizer/config.json: encoder_config"

# Upstream's, where the documents have none.
_CODEC_DEFAULTS: Document = {
    "encoder_valid_num_quantizers": 16,
    "encode_downsample_rate": SAMPLES_PER_FRAME,
    "input_sample_rate": SAMPLE_RATE_HZ,
}

_MEL = {"n_fft": 1024, "num_mels": 128, "hop_size": 256, "win_size": 1024, "fmin": 0, "fmax": 12000}


@dataclass(frozen=True)
class VoiceEncoders:
    """The speaker encoder of a model and the encoder of its codec.

    Attributes:
        speaker: Upstream's `Qwen3TTSSpeakerEncoder`.
        codec: Upstream's `Qwen3TTSTokenizerV2Encoder`.
        num_code_groups: How many codes of each frame the talker reads.
    """

    speaker: Any
    codec: Any
    num_code_groups: int

    @classmethod
    def read(
        cls, parameters: Parameters, config: Document, codec: Parameters, codec_config: Document
    ) -> VoiceEncoders:
        """Read both encoders.

        Args:
            parameters: The model's.
            config: The model's config.json.
            codec: The codec's.
            codec_config: The codec's config.json.

        Raises:
            LoadError: A tensor is missing, or has another shape than the documents say; or they
                are for recordings of another sample rate.
        """
        codec_config = _CODEC_DEFAULTS | codec_config
        _check_recordings(config, codec_config)
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
        except (
            Exception
        ) as error:  # a boundary: whatever fields of a wrong type make libraries raise
            raise LoadError(
                "No encoders can be made of config.json's speaker_encoder_config and "
                f"speech_tokenizer/config.json's encoder_config: {error!r}."
            ) from error
        return cls(
            speaker=_filled(speaker, parameters.within("speaker_encoder")),
            codec=_filled(encoder, codec.within("encoder")),
            num_code_groups=codec_config["encoder_valid_num_quantizers"],
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
        num_frames = math.ceil(len(samples) / SAMPLES_PER_FRAME)
        codes = self.codec.encode(input_values=audio, return_dict=True).audio_codes
        frames: Tensor = codes[0, : self.num_code_groups, :num_frames].t().to(torch.int64)
        return frames

    @property
    def _like(self) -> Tensor:
        """A parameter, for the device and the dtype."""
        parameter: Tensor = next(self.speaker.parameters())
        return parameter


def check_preprocessor(preprocessor: Document) -> None:
    """Check the sample rate that a codec's preprocessor_config.json has, if any.

    Raises:
        LoadError: It is another.
    """
    rate_hz = preprocessor.get("sampling_rate")
    if rate_hz not in (None, SAMPLE_RATE_HZ):
        raise LoadError(
            f"speech_tokenizer/preprocessor_config.json says sampling_rate {rate_hz!r}; served is "
            f"{SAMPLE_RATE_HZ}."
        )


def _check_recordings(config: Document, codec_config: Document) -> None:
    """Refuse encoders for another sample rate, frame rate or number of codes."""
    talker = TALKER_DEFAULTS | config["talker_config"]
    speaker: Any = config.get("speaker_encoder_config") or {}
    speaker_rate = speaker.get("sample_rate", SAMPLE_RATE_HZ) if isinstance(speaker, dict) else None
    needed = {
        "encoder_valid_num_quantizers": talker["num_code_groups"],
        "encode_downsample_rate": SAMPLES_PER_FRAME,
        "input_sample_rate": SAMPLE_RATE_HZ,
    }
    for field, value in needed.items():
        if codec_config[field] != value:
            raise LoadError(
                f"speech_tokenizer/config.json says {field} {codec_config[field]!r}; served is "
                f"{value}."
            )
    if speaker_rate != SAMPLE_RATE_HZ:
        raise LoadError(
            f"config.json: speaker_encoder_config says sample_rate {speaker_rate!r}; served is "
            f"{SAMPLE_RATE_HZ}."
        )


def _filled(module: nn.Module, parameters: Parameters) -> nn.Module:
    """Replace a module's tensors by those of a checkpoint."""
    tensors = {name: parameters.read(name, *own.shape) for name, own in module.state_dict().items()}
    module.load_state_dict(tensors, assign=True)
    return module.to(parameters.device).requires_grad_(False).eval()

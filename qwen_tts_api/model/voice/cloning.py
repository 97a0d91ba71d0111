"""From a recording to a voice: the checkpoint's own encoders, run once for each recording."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from qwen_tts_api.model.codec.decoder import CodecState, stream_after
from qwen_tts_api.model.codec.weights import CodecWeights
from qwen_tts_api.model.prompt import ClonedVoice
from qwen_tts_api.model.utterance import Reference
from qwen_tts_api.model.voice.encoders import VoiceEncoders


@dataclass(frozen=True)
class Clone:
    """What a recording becomes.

    Attributes:
        voice: What the prompt needs of it.
        stream: The codec's stream at the recording's end, which the utterance's audio goes on
            from; None where it begins anew.
    """

    voice: ClonedVoice
    stream: CodecState | None


def clone(
    encoders: VoiceEncoders, codec: CodecWeights, reference: Reference, reference_ids: Tensor
) -> Clone:
    """Encode a recording.

    Args:
        encoders: Of a checkpoint of the kind base.
        codec: Its codec's decoder.
        reference: The recording.
        reference_ids: `[T]` int64: its text in `REFERENCE_TEMPLATE`.

    Source: upstream's `create_voice_clone_prompt`; instead of decoding the recording's frames
    before each utterance and cutting them off, their trace in the codec is kept.
    """
    # Upstream prints a warning to stdout where samples are beyond this.
    samples = np.clip(reference.samples, -1, 1).astype(np.float32, copy=False)
    speaker = encoders.embed_speaker(samples)
    if reference.x_vector_only:
        return Clone(ClonedVoice(speaker), None)
    codes = encoders.encode(samples)
    return Clone(ClonedVoice(speaker, reference_ids, codes), stream_after(codec, codes))

"""Turn a recording into a voice with the checkpoint's own encoders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qwen_tts_api.model.codec.decoder import CodecState, stream_after
from qwen_tts_api.model.codec.weights import CodecWeights
from qwen_tts_api.model.prompt import ClonedVoice
from qwen_tts_api.model.utterance import Reference
from qwen_tts_api.model.voice.encoders import VoiceEncoders


@dataclass(frozen=True)
class Clone:
    """A voice from a recording.

    Attributes:
        voice: Its part of the prompt.
        stream: The state of the codec's stream at the end of the recording, which the utterance's
            audio continues; None where it begins a new stream.
    """

    voice: ClonedVoice
    stream: CodecState | None


def clone(
    encoders: VoiceEncoders,
    codec: CodecWeights,
    reference: Reference,
    reference_ids: Sequence[int],
) -> Clone:
    """Encode a recording.

    Args:
        encoders: Of a checkpoint of the kind base.
        codec: Its codec's decoder.
        reference: The recording.
        reference_ids: Its text in `REFERENCE_TEMPLATE`.

    Source: upstream's `create_voice_clone_prompt`. Upstream decodes the recording's frames before
    each utterance and cuts them off; here the codec's state after them is kept.
    """
    # Upstream prints a warning to stdout where samples are beyond this.
    samples = np.clip(reference.samples, -1, 1).astype(np.float32, copy=False)
    speaker = encoders.embed_speaker(samples)
    if reference.x_vector_only:
        return Clone(ClonedVoice(speaker), None)
    codes = encoders.encode(samples)
    return Clone(ClonedVoice(speaker, reference_ids, codes), stream_after(codec, codes))

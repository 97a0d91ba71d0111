"""From a recording to a voice: the checkpoint's own encoders, run once for each recording.

The encoders are upstream's modules: they run once, so their speed does not matter, and their
arithmetic is upstream's by being it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from qwen_tts_api.model.codec import CodecState, stream_after
from qwen_tts_api.model.codec_weights import CodecWeights
from qwen_tts_api.model.prompt import ClonedVoice
from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ, Reference


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


def clone(wrapper: Any, codec: CodecWeights, reference: Reference, reference_ids: Tensor) -> Clone:
    """Encode a recording.

    Args:
        wrapper: Upstream's `Qwen3TTSModel`, of the kind base.
        codec: Its decoder.
        reference: The recording.
        reference_ids: `[T]` int64: its text in `REFERENCE_TEMPLATE`.

    Source: upstream's `create_voice_clone_prompt`; instead of decoding the recording's frames
    before each utterance and cutting them off, their trace in the codec is kept.
    """
    # Upstream prints a warning to stdout where samples are beyond this.
    samples = np.clip(reference.samples, -1, 1).astype(np.float32, copy=False)
    speaker = wrapper.model.extract_speaker_embedding(audio=samples, sr=SAMPLE_RATE_HZ)
    if reference.x_vector_only:
        return Clone(ClonedVoice(speaker), None)
    [codes] = wrapper.model.speech_tokenizer.encode([samples], sr=SAMPLE_RATE_HZ).audio_codes
    codes = codes.to(torch.int64)
    return Clone(ClonedVoice(speaker, reference_ids, codes), stream_after(codec, codes))

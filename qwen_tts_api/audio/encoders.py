"""What encodes each format of `formats.FORMATS`."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from qwen_tts_api.audio.containers import (
    flac_encoder,
    flac_stream_encoder,
    opus_encoder,
    opus_stream_encoder,
    vorbis_encoder,
)
from qwen_tts_api.audio.encoder import SILENCE, Encoder, Samples
from qwen_tts_api.audio.g711 import A_LAW, MU_LAW, G711Encoder
from qwen_tts_api.audio.mp3 import Mp3Encoder
from qwen_tts_api.audio.pcm import (
    PcmEncoder,
    au_header,
    encode_aiff,
    encode_au,
    encode_wav,
    wav_header,
)

Maker = Callable[[int], Encoder]
"""From the rate in Hz to an encoder."""


class Makers(NamedTuple):
    """What makes the encoder of a stream, and of a whole file, which may know its length."""

    stream: Maker
    file: Maker


class WholeEncoder:
    """A file whose first bytes depend on its last samples: nothing comes before `finish`.

    Args:
        write: From all samples to the file.
    """

    def __init__(self, write: Callable[[Samples], bytes]) -> None:
        self._write = write
        self._received: list[Samples] = [SILENCE]

    def encode(self, samples: Samples) -> bytes:
        """Keep the samples."""
        self._received.append(samples)
        return b""

    def finish(self) -> bytes:
        """Return the whole file."""
        return self._write(np.concatenate(self._received))


def _whole(write: Callable[[Samples, int], bytes]) -> Maker:
    return lambda rate_hz: WholeEncoder(lambda samples: write(samples, rate_hz))


def _pcm(rate_hz: int) -> Encoder:
    return PcmEncoder()


def _mulaw(rate_hz: int) -> Encoder:
    return G711Encoder(MU_LAW)


def _alaw(rate_hz: int) -> Encoder:
    return G711Encoder(A_LAW)


ENCODERS = {
    "wav": Makers(lambda rate_hz: PcmEncoder(wav_header(rate_hz)), _whole(encode_wav)),
    "mp3": Makers(Mp3Encoder, Mp3Encoder),
    "opus": Makers(opus_stream_encoder, opus_encoder),
    "ogg": Makers(vorbis_encoder, vorbis_encoder),
    "flac": Makers(flac_stream_encoder, flac_encoder),
    "pcm": Makers(_pcm, _pcm),
    "mulaw": Makers(_mulaw, _mulaw),
    "alaw": Makers(_alaw, _alaw),
    "au": Makers(lambda rate_hz: PcmEncoder(au_header(rate_hz), big=True), _whole(encode_au)),
    "aiff": Makers(_whole(encode_aiff), _whole(encode_aiff)),
}
"""By the format's name."""

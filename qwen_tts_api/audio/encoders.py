"""From samples to the bytes of a file: speed, then rate, then what encodes the format."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from qwen_tts_api.audio.containers import (
    flac_encoder,
    flac_stream_encoder,
    opus_encoder,
    opus_stream_encoder,
    vorbis_encoder,
)
from qwen_tts_api.audio.encoder import NO_SAMPLES, Encoder, Samples
from qwen_tts_api.audio.formats import AudioFormat
from qwen_tts_api.audio.g711 import A_LAW, MU_LAW, G711Encoder
from qwen_tts_api.audio.mp3 import Mp3Encoder
from qwen_tts_api.audio.pcm import (
    UNKNOWN_SIZE,
    PcmEncoder,
    au_header,
    encode_aiff,
    encode_au,
    encode_wav,
    wav_stream_header,
)
from qwen_tts_api.audio.provenance import Provenance
from qwen_tts_api.audio.rates import Resampler, SpeedChanger

Maker = Callable[[int, Provenance | None], Encoder]
"""From the rate in Hz, and what the file says of who made it, to an encoder."""


class Makers(NamedTuple):
    """What makes the encoder of a stream, and of a whole file, which may know its length."""

    stream: Maker
    file: Maker

    def encode(self, samples: Samples, sample_rate_hz: int) -> bytes:
        """Return samples as a whole file that does not say who made it."""
        encoder = self.file(sample_rate_hz, None)
        return encoder.encode(samples) + encoder.finish()


class WholeEncoder:
    """A file whose first bytes depend on its last samples: nothing comes before `finish`.

    Args:
        write: From all samples to the file.
    """

    def __init__(self, write: Callable[[Samples], bytes]) -> None:
        self._write = write
        self._received: list[Samples] = [NO_SAMPLES]

    def encode(self, samples: Samples) -> bytes:
        """Keep the samples."""
        self._received.append(samples)
        return b""

    def finish(self) -> bytes:
        """Return the whole file."""
        return self._write(np.concatenate(self._received))


def _whole(write: Callable[[Samples, int, Provenance | None], bytes]) -> Maker:
    return lambda rate_hz, provenance: WholeEncoder(
        lambda samples: write(samples, rate_hz, provenance)
    )


def _wav(rate_hz: int, provenance: Provenance | None) -> Encoder:
    return PcmEncoder(wav_stream_header(rate_hz, provenance))


def _au(rate_hz: int, provenance: Provenance | None) -> Encoder:
    return PcmEncoder(au_header(rate_hz, UNKNOWN_SIZE, provenance), big=True)


def _pcm(rate_hz: int, provenance: Provenance | None) -> Encoder:
    return PcmEncoder()


def _mulaw(rate_hz: int, provenance: Provenance | None) -> Encoder:
    return G711Encoder(MU_LAW)


def _alaw(rate_hz: int, provenance: Provenance | None) -> Encoder:
    return G711Encoder(A_LAW)


ENCODERS = {
    "wav": Makers(_wav, _whole(encode_wav)),
    "mp3": Makers(Mp3Encoder, Mp3Encoder),
    "opus": Makers(opus_stream_encoder, opus_encoder),
    "ogg": Makers(vorbis_encoder, vorbis_encoder),
    "flac": Makers(flac_stream_encoder, flac_encoder),
    "pcm": Makers(_pcm, _pcm),
    "mulaw": Makers(_mulaw, _mulaw),
    "alaw": Makers(_alaw, _alaw),
    "au": Makers(_au, _whole(encode_au)),
    "aiff": Makers(_whole(encode_aiff), _whole(encode_aiff)),
}
"""By the format's name."""


class Step(Protocol):
    """Turns samples into others, as they come."""

    def process(self, samples: Samples) -> Samples:
        """Return what is ready after these samples; may be none."""

    def finish(self) -> Samples:
        """Return the rest."""


@dataclass(frozen=True)
class Output:
    """How audio is wanted.

    Attributes:
        audio_format: Container and codec.
        sample_rate_hz: One of the format's.
        speed: Above 1 is faster; the pitch stays.
        provenance: What its files say of who made them; None: nothing.
    """

    audio_format: AudioFormat
    sample_rate_hz: int
    speed: float = 1.0
    provenance: Provenance | None = None

    @property
    def delay_s(self) -> float:
        """How much silence a player hears before the first sample."""
        return self.audio_format.delay_samples / self.sample_rate_hz

    def pipeline(self, from_hz: int, *, stream: bool) -> Pipeline:
        """Return what makes it of samples at a rate of `from_hz`."""
        return Pipeline(lambda: self._parts(from_hz, stream=stream))

    def _parts(self, from_hz: int, *, stream: bool) -> tuple[list[Step], Encoder]:
        steps: list[Step] = []
        if self.speed != 1:
            steps.append(SpeedChanger(self.speed, from_hz))
        if self.sample_rate_hz != from_hz:
            steps.append(Resampler(from_hz, self.sample_rate_hz))
        makers = ENCODERS[self.audio_format.name]
        make = makers.stream if stream else makers.file
        return steps, make(self.sample_rate_hz, self.provenance)


class Pipeline:
    """An encoder with steps before it.

    Args:
        build: Makes both.

    Attributes:
        num_samples: How many samples were encoded so far.
        work_s: How long all of it took so far.
        span: From when until when it worked, by `time.monotonic`; None before the first samples.
    """

    def __init__(self, build: Callable[[], tuple[list[Step], Encoder]]) -> None:
        self._build = build
        self.work_s = 0.0
        self.span: tuple[float, float] | None = None
        self.restart()

    def restart(self) -> None:
        """Begin a new file: what was encoded is not wanted."""
        self._steps, self._encoder = self._build()
        self.num_samples = 0

    def encode(self, samples: Samples) -> bytes:
        """Return the bytes that are ready after these samples; may be none."""
        began_at = time.monotonic()
        for step in self._steps:
            samples = step.process(samples)
        data = self._encode(samples)
        self._note(began_at)
        return data

    def finish(self) -> bytes:
        """Return the rest."""
        began_at = time.monotonic()
        samples = NO_SAMPLES
        for step in self._steps:
            samples = np.concatenate([step.process(samples), step.finish()])
        data = self._encode(samples) + self._encoder.finish()
        self._note(began_at)
        return data

    def _note(self, began_at: float) -> None:
        now = time.monotonic()
        self.work_s += now - began_at
        self.span = (self.span[0] if self.span else began_at, now)

    def _encode(self, samples: Samples) -> bytes:
        self.num_samples += len(samples)
        return self._encoder.encode(samples)

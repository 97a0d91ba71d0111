"""The formats that audio can be sent in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from qwen_tts_api.audio.containers import (
    flac_encoder,
    flac_stream_encoder,
    opus_encoder,
    opus_stream_encoder,
    vorbis_encoder,
)
from qwen_tts_api.audio.encoder import Encoder, Samples, WholeEncoder
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

SAMPLE_RATES_HZ = (8_000, 16_000, 24_000, 48_000)


@dataclass(frozen=True)
class AudioFormat:
    """A container and codec that audio can be sent in, mono.

    Attributes:
        name: What requests call it.
        media_type: Its HTTP `Content-Type`.
        encoder: From the rate in Hz to an encoder whose bytes leave as they come.
        file_encoder: From the rate in Hz to an encoder of a whole file, which knows its length.
        sample_rates_hz: The rates that it can have.
    """

    name: str
    media_type: str
    encoder: Callable[[int], Encoder]
    file_encoder: Callable[[int], Encoder]
    sample_rates_hz: tuple[int, ...] = SAMPLE_RATES_HZ

    def encode(self, samples: Samples, sample_rate_hz: int) -> bytes:
        """Return samples as a whole file."""
        encoder = self.file_encoder(sample_rate_hz)
        return encoder.encode(samples) + encoder.finish()


def _whole(write: Callable[[Samples, int], bytes]) -> Callable[[int], Encoder]:
    return lambda rate_hz: WholeEncoder(lambda samples: write(samples, rate_hz))


def _wav(rate_hz: int) -> Encoder:
    return PcmEncoder(wav_header(rate_hz))


def _au(rate_hz: int) -> Encoder:
    return PcmEncoder(au_header(rate_hz), big=True)


def _pcm(rate_hz: int) -> Encoder:
    return PcmEncoder()


def _mulaw(rate_hz: int) -> Encoder:
    return G711Encoder(MU_LAW)


def _alaw(rate_hz: int) -> Encoder:
    return G711Encoder(A_LAW)


# Telephony's codecs are 8 kHz by their standard, and `audio/basic` by its own (RFC 2046).
_TELEPHONE_HZ = (8_000,)

FORMATS = {
    audio_format.name: audio_format
    for audio_format in (
        AudioFormat("wav", "audio/wav", _wav, _whole(encode_wav)),
        AudioFormat("mp3", "audio/mpeg", Mp3Encoder, Mp3Encoder),
        AudioFormat("opus", "audio/ogg; codecs=opus", opus_stream_encoder, opus_encoder),
        AudioFormat("ogg", "audio/ogg", vorbis_encoder, vorbis_encoder),
        AudioFormat("flac", "audio/flac", flac_stream_encoder, flac_encoder),
        AudioFormat("pcm", "audio/pcm", _pcm, _pcm),
        AudioFormat("mulaw", "audio/basic", _mulaw, _mulaw, _TELEPHONE_HZ),
        AudioFormat("alaw", "audio/PCMA", _alaw, _alaw, _TELEPHONE_HZ),
        AudioFormat("au", "audio/basic", _au, _whole(encode_au)),
        AudioFormat("aiff", "audio/x-aiff", _whole(encode_aiff), _whole(encode_aiff)),
    )
}

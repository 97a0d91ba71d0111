"""MP3's length: exact where the whole is known, near where only the bytes tell it."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from qwen_tts_api.audio import FORMATS, SAMPLE_RATES_HZ
from qwen_tts_api.audio.mp3 import BITRATES_KBPS
from tests.audio.decoding import RATE_HZ, decode, in_pieces, voice


@pytest.mark.parametrize("rate_hz", SAMPLE_RATES_HZ)
def test_a_file_begins_where_the_audio_does(rate_hz: int) -> None:
    """Players take off the silence that the first frame tells of: not one sample is moved."""
    samples = voice(20_000, rate_hz)
    decoded = decode("mp3", FORMATS["mp3"].encode(samples, rate_hz), rate_hz).astype(float)
    likeness = [np.dot(np.roll(decoded, shift), samples) for shift in range(-20, 21)]
    assert np.argmax(likeness) == 20


@pytest.mark.parametrize("rate_hz", SAMPLE_RATES_HZ)
def test_the_bytes_tell_the_length(rate_hz: int) -> None:
    """As players compute it of a stream: within 0.2 s, of which 0.05 s are in the first frame."""
    encoder = FORMATS["mp3"].encoder(rate_hz)
    data = b"".join(in_pieces(encoder, voice(10 * rate_hz, rate_hz), [10 * rate_hz]))
    seconds = len(data) * 8 / 1000 / BITRATES_KBPS[rate_hz]
    assert 10 < seconds < (10.1 if rate_hz >= RATE_HZ else 10.2)


def test_the_first_frame_is_silent_and_has_lames_checksum() -> None:
    """Readers that know nothing of it play a frame of silence."""
    data = FORMATS["mp3"].encode(voice(RATE_HZ), RATE_HZ)
    assert data[13:17] == b"Info"
    crc = 0
    for byte in data[: 13 + 16 + 34]:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 * (crc & 1)
    assert data[63:65] == crc.to_bytes(2, "big")
    without = bytearray(data)
    without[13:17] = b"\0\0\0\0"
    assert len(soundfile.read(io.BytesIO(without))[0]) > RATE_HZ + 1105

"""MP3's length, as the bytes tell it; and files that are joined byte by byte."""

from __future__ import annotations

from qwen_tts_api.audio import SAMPLE_RATES_HZ
from qwen_tts_api.audio.encoders import ENCODERS
from qwen_tts_api.audio.mp3 import BITRATES_KBPS
from tests.audio.decoding import MP3_DELAY, RATE_HZ, decode, difference, in_pieces, voice
from tests.rows import for_each


@for_each("rate_hz", SAMPLE_RATES_HZ)
@for_each("seconds", [1, 4])
def test_the_bytes_tell_the_length(rate_hz: int, seconds: int) -> None:
    """As players compute it of a constant bitrate: within 0.1 s, 0.2 s at low rates."""
    encoder = ENCODERS["mp3"].stream(rate_hz, None)
    samples = voice(seconds * rate_hz, rate_hz)
    data = b"".join(in_pieces(encoder, samples, [len(samples)]))
    told_s = len(data) * 8 / 1000 / BITRATES_KBPS[rate_hz]
    assert seconds < told_s < seconds + (0.1 if rate_hz >= RATE_HZ else 0.22)


@for_each("rate_hz", SAMPLE_RATES_HZ)
def test_joined_files_play_to_the_end(rate_hz: int) -> None:
    """epub_to_audiobook and openreader join a book's parts byte by byte.

    Players that believe a frame with a count, libmpg123's and libsndfile's among them, would stop
    at the end of the first.
    """
    parts = [voice(seconds * rate_hz, rate_hz) for seconds in (1, 2, 1)]
    files = [ENCODERS["mp3"].encode(samples, rate_hz) for samples in parts]
    assert not any(tag in file for tag in (b"Xing", b"Info", b"LAME3") for file in files)
    decoded = decode("mp3", b"".join(files), rate_hz)
    begin = 0
    for samples, file in zip(parts, files, strict=True):
        heard = decoded[begin + MP3_DELAY :][: len(samples)]
        assert difference(heard, samples) < 0.1
        begin += len(decode("mp3", file, rate_hz))
    assert len(decoded) == begin


def test_a_file_is_what_a_stream_sends() -> None:
    samples = voice(20_000)
    stream = b"".join(in_pieces(ENCODERS["mp3"].stream(RATE_HZ, None), samples, [20_000]))
    assert stream == ENCODERS["mp3"].encode(samples, RATE_HZ)

"""Untrusted recordings: valid ones are decoded, others are a 400, at a bounded cost."""

from __future__ import annotations

import io
import pickle
import random
import struct
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from qwen_tts_api.errors import InvalidAudio, InvalidRequest
from qwen_tts_api.service.voices.recording import check_ref_text, read_recording
from tests.recordings import KINDS, encode, recording, tone
from tests.rows import for_each

MAX_BYTES = 10 * 2**20


def refuse(data: bytes, *words: str) -> None:
    """Check that a file is refused with a sentence that has the words."""
    with pytest.raises(InvalidAudio) as raised:
        read_recording(data, MAX_BYTES)
    for word in words:
        assert word in raised.value.message
    assert raised.value.fields == {"ref_audio": [raised.value.message]}


def flac_header(rate_hz: int, channels: int, num_frames: int) -> bytes:
    """Return a FLAC file that consists of its header."""
    packed = rate_hz << 44 | (channels - 1) << 41 | 15 << 36 | num_frames
    block = struct.pack(">HH3s3s", 4096, 4096, bytes(3), bytes(3)) + packed.to_bytes(8, "big")
    return b"fLaC\x80\x00\x00\x22" + block + bytes(16)


def wav_header(rate_hz: int, channels: int, data: bytes, codec: int = 1, bits: int = 16) -> bytes:
    """Return a WAV file whose header says what it is told."""
    frame = channels * bits // 8
    byte_rate = rate_hz * frame % 2**32
    rest = struct.pack("<HHIIHH", codec, channels, rate_hz, byte_rate, frame % 2**16, bits)
    body = b"WAVEfmt " + struct.pack("<I", 16) + rest + b"data" + struct.pack("<I", len(data))
    return b"RIFF" + struct.pack("<I", len(body) + len(data)) + body + data


@for_each(("kind", "codec"), KINDS)
@for_each("channels", [1, 2])
def test_every_allowed_kind(kind: str, codec: str, channels: int) -> None:
    """A tone stays what it was: length, pitch and level."""
    samples = read_recording(encode(tone(2, 24_000, channels), 24_000, kind, codec), MAX_BYTES)
    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert abs(len(samples) - 48_000) < 1200
    spectrum = np.abs(np.fft.rfft(samples[:24_000]))
    assert abs(int(spectrum.argmax()) - 440) <= 1
    assert abs(np.abs(samples[4000:-4000]).max() - 0.5) < 0.05


@for_each("rate_hz", [8_000, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000])
def test_every_rate_becomes_the_codecs(rate_hz: int) -> None:
    """Neither longer nor shorter, the same tone."""
    samples = read_recording(encode(tone(1.5, rate_hz), rate_hz), MAX_BYTES)
    assert abs(len(samples) - 36_000) <= 1
    expected = tone(1.5, 24_000)[:, 0]
    assert np.abs(samples[1000:35_000] - expected[1000:35_000]).max() < 0.01


def test_24_khz_stays_as_it_is() -> None:
    """What a model made is not resampled once more; two channels are mixed."""
    left, right = tone(1, 24_000), 0.25 * tone(1, 24_000)
    assert np.array_equal(read_recording(encode(left), MAX_BYTES), left[:, 0])
    mixed = read_recording(encode(np.hstack([left, right])), MAX_BYTES)
    assert np.abs(mixed - 0.625 * left[:, 0]).max() < 1e-6


@pytest.mark.parametrize("seconds", [1.0, 30.0])
def test_the_limits_of_length_are_allowed(seconds: float) -> None:
    """1 and 30 s themselves."""
    assert len(read_recording(recording(seconds), MAX_BYTES)) == 24_000 * seconds


@pytest.mark.parametrize(("kind", "codec"), [("WAV", "PCM_16"), ("FLAC", "PCM_16")])
def test_too_short_and_too_long(kind: str, codec: str) -> None:
    """The sentence says what is allowed."""
    refuse(recording(0.99, kind, codec), "0.99 s", "1 to 30 s")
    refuse(recording(30.01, kind, codec), "longer than 30 s")


@for_each(
    "data",
    [
        b"",
        b"abc",
        b"RIFF",
        b"\xff\xfb",
        b"not audio at all, but long enough to be something" * 100,
        b"<html>" + bytes(1000),
        b"\x1aE\xdf\xa3" + bytes(1000),  # WebM, as browsers record
        b"\x00\x00\x00\x20ftypM4A " + bytes(1000),
        b"FORM\x00\x00\x10\x00AIFF" + bytes(1000),
        b".snd" + bytes(1000),
        b"RIFF\x00\x10\x00\x00AVI " + bytes(1000),
        b"PK\x03\x04" + bytes(1000),
    ],
)
def test_what_is_no_allowed_kind(data: bytes) -> None:
    """The sentence names those that are."""
    refuse(data, "WAV, FLAC, Ogg (Vorbis or Opus) and MP3")


@for_each("magic", [b"RIFF\xff\xff\xff\x7fWAVE", b"fLaC", b"OggS", b"ID3", b"\xff\xfb"])
def test_magic_without_audio(magic: bytes) -> None:
    """The first bytes alone make no file."""
    for rest in (b"", bytes(4000), random.Random(1).randbytes(4000)):
        refuse(magic + rest)


@pytest.mark.parametrize("rate_hz", [1, 7_999, 192_001, 2_000_000_000])
def test_rates_that_nobody_records_at(rate_hz: int) -> None:
    """Refused before a byte of audio is read: a second of it would be the size of a block."""
    data = wav_header(rate_hz, 1, random.Random(1).randbytes(800_000))
    refuse(data, f"{rate_hz} samples a second", "8000 to 192000")


@pytest.mark.parametrize("channels", [3, 8, 100])
def test_numbers_of_channels(channels: int) -> None:
    """One or two."""
    data = wav_header(24_000, channels, random.Random(1).randbytes(channels * 60_000))
    refuse(data, f"{channels} channels", "1 and 2")


@pytest.mark.parametrize(
    ("rate_hz", "channels"), [(0, 1), (4_000_000_000, 1), (24_000, 0), (24_000, 65_535)]
)
def test_headers_that_make_no_sense(rate_hz: int, channels: int) -> None:
    """Refused by libsndfile."""
    refuse(wav_header(rate_hz, channels, bytes(100_000)), "cannot be read")


@pytest.mark.parametrize("codec", ["IMA_ADPCM", "MS_ADPCM", "GSM610"])
def test_rare_codecs_inside_a_wav(codec: str) -> None:
    """Less code meets hostile bytes."""
    refuse(encode(tone(2, 24_000), 24_000, "WAV", codec), codec)


def test_samples_that_are_no_sound() -> None:
    """NaN, infinity, integers written as floats, silence, a constant."""
    loud = tone(2, 24_000)
    for value in (np.nan, np.inf, -np.inf):
        broken = loud.copy()
        broken[30_000] = value
        refuse(encode(broken), "not numbers")
    refuse(encode(loud * 30_000), "full scale")
    refuse(encode(loud * 0), "silent")
    refuse(encode(loud * 0.001), "silent")
    refuse(encode(loud * 0 + 0.5), "silent")
    refuse(encode(loud * np.float32(1e-3)), "silent")


@pytest.mark.parametrize(("kind", "codec"), [("WAV", "PCM_16"), ("FLAC", "PCM_16")])
def test_a_file_that_is_cut_short(kind: str, codec: str) -> None:
    """Its text would be longer than its sound."""
    data = encode(tone(3, 24_000) * 0.9, 24_000, kind, codec)
    for part in (0.1, 0.5, 0.99):
        refuse(data[: int(len(data) * part)])


def test_a_wav_that_was_streamed() -> None:
    """Programs that write to a pipe cannot know the size, and say so."""
    data = bytearray(recording(2))
    data[4:8] = b"\xff\xff\xff\xff"
    at = data.index(b"data") + 4
    data[at : at + 4] = b"\xff\xff\xff\xff"
    assert len(read_recording(bytes(data), MAX_BYTES)) == 48_000


def test_a_flac_that_was_streamed() -> None:
    """It has no length, without which libsndfile cannot read it: the sentence says what to do."""
    data = bytearray(recording(2, "FLAC"))
    data[21] &= 0xF0  # the 36 bits of the number of frames in STREAMINFO
    data[22:26] = bytes(4)
    refuse(bytes(data), "write it to a file")


def test_too_many_bytes() -> None:
    """Before anything is decoded."""
    with pytest.raises(InvalidAudio, match=r"96\d\d\d bytes; QWEN_MAX_AUDIO_BYTES allows 96000"):
        read_recording(recording(2), 96_000)


@pytest.mark.slow
def test_headers_that_lie_cost_no_memory() -> None:
    """40 bytes that claim 2^36 frames, and hours of silence in little.

    In a process of their own, whose peak of memory is not that of other tests.
    """
    lie = flac_header(192_000, 2, 2**36 - 1)
    with soundfile.SoundFile(io.BytesIO(lie)) as file:
        assert file.frames == 2**36 - 1
    bomb = encode(np.zeros((8_000 * 7200, 1), np.float32), 8_000, "FLAC", "PCM_16")
    assert len(bomb) < 2**18
    code = (
        "import pickle, resource, sys\n"
        "from qwen_tts_api.errors import InvalidAudio\n"
        "from qwen_tts_api.service.voices.recording import read_recording\n"
        "for data in pickle.load(sys.stdin.buffer):\n"
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "    try: print(len(read_recording(data, 2**24)))\n"
        "    except InvalidAudio as error: print(error)\n"
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    given = pickle.dumps([recording(2), lie, flac_header(24_000, 1, 0), bomb])
    result = subprocess.run(
        [sys.executable, "-c", code], input=given, capture_output=True, check=True
    )
    lines = result.stdout.decode().splitlines()
    assert lines[0] == "48000"
    assert "longer than 30 s" in lines[6]
    unit = 1 if sys.platform == "darwin" else 1024
    assert all(int(grown) * unit < 50 * 2**20 for grown in lines[3::2])


def test_damaged_files_are_never_worse_than_a_400() -> None:
    """Real files of every kind with bytes changed, removed and added: read, or refused."""
    random_source = random.Random(5)
    files = [encode(tone(1.2, 24_000), 24_000, kind, codec) for kind, codec in KINDS]
    outcomes = {"read": 0, "refused": 0}
    for _ in range(600):
        data = damage(bytearray(random_source.choice(files)), random_source)
        try:
            samples = read_recording(data, MAX_BYTES)
            assert np.isfinite(samples).all()
            assert 24_000 <= len(samples) <= 30 * 24_000
            outcomes["read"] += 1
        except InvalidAudio:
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 50, outcomes


def damage(data: bytearray, random_source: random.Random) -> bytes:
    """Return a file with one to four injuries, most of them near its beginning."""
    for _ in range(random_source.randrange(1, 5)):
        at = random_source.randrange(min(len(data), random_source.choice((48, 256, len(data)))))
        injury = random_source.randrange(5)
        if injury == 0:
            data[at] = random_source.randrange(256)
        elif injury == 1:
            data[at : at + 4] = random_source.choice((b"\xff" * 4, bytes(4), b"\xff\xff\xff\x7f"))
        elif injury == 2:
            del data[at : at + random_source.randrange(1, 1000)]
        elif injury == 3:
            data[at:at] = random_source.randbytes(random_source.randrange(1, 200))
        else:
            del data[max(16, at) :]
        if len(data) < 16:
            break
    return bytes(data)


def test_the_text_of_a_recording() -> None:
    """Bounded, and valid Unicode."""
    assert check_ref_text("  Hello.\n") == "Hello."
    assert len(check_ref_text("x" * 2000)) == 2000
    for text in ("x" * 2001, "a\ud800"):
        with pytest.raises(InvalidRequest, match="ref_text"):
            check_ref_text(text)

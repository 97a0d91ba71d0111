"""Every format is well-formed at every length and rate, whole and in pieces."""

from __future__ import annotations

import io
import subprocess
import sys
import threading

import numpy as np
import pytest
import soundfile

from qwen_tts_api.audio import FORMATS
from qwen_tts_api.audio.encoders import ENCODERS
from tests.audio.decoding import (
    RATE_HZ,
    audible,
    decode,
    difference,
    in_pieces,
    rates,
    sizes,
    voice,
)
from tests.rows import for_each

# How much of a sample's loudness the codec may change; each has half of it or less.
LOSS = {"mp3": 0.1, "opus": 0.3, "ogg": 0.2, "mulaw": 0.05, "alaw": 0.05}
# libsndfile cannot read FLAC of unknown length to its end (ffmpeg can).
FLAC_HEADER = 42


@for_each("num_samples", [1, 1920, 3840, 48_000])
@for_each(("name", "rate_hz"), rates())
def test_a_file_has_the_length_and_sound_that_went_in(
    name: str, rate_hz: int, num_samples: int
) -> None:
    """Neither longer nor shorter by a sample, and close to what went in or the same."""
    samples = voice(num_samples, rate_hz)
    decoded = decode(name, ENCODERS[name].encode(samples, rate_hz), rate_hz)
    decoded = audible(name, decoded, num_samples)
    assert len(decoded) == num_samples
    if num_samples >= 1920:
        assert difference(decoded, samples) <= LOSS.get(name, 0)


@for_each("num_samples", [1920, 3840, 100_001])
@for_each(("name", "rate_hz"), rates())
def test_a_stream_has_the_sound_of_the_file(name: str, rate_hz: int, num_samples: int) -> None:
    """However the samples come."""
    samples = voice(num_samples, rate_hz)
    pieces = sizes(num_samples, seed=num_samples)
    data = b"".join(in_pieces(ENCODERS[name].stream(rate_hz, None), samples, pieces))
    file = ENCODERS[name].encode(samples, rate_hz)
    if name == "flac":
        data = file[:FLAC_HEADER] + data[FLAC_HEADER:]
    decoded = audible(name, decode(name, data, rate_hz), num_samples)
    assert len(decoded) == num_samples
    whole = audible(name, decode(name, file, rate_hz), num_samples)
    # libvorbis's choices depend on how the samples come, by less than anyone hears.
    assert difference(decoded, whole) <= (0.1 if name == "ogg" else 0)


@for_each("name", sorted(set(FORMATS) - {"ogg", "opus"}))
def test_pieces_change_no_byte(name: str) -> None:
    """Of the file and of the stream; only Ogg's pages end where pieces do."""
    rate_hz = FORMATS[name].sample_rates_hz[0]
    samples = voice(60_000, rate_hz)
    for make in ENCODERS[name]:
        ways = [[60_000], [1920] * 31 + [480], sizes(60_000, seed=1), sizes(60_000, seed=2)]
        files = [b"".join(in_pieces(make(rate_hz, None), samples, way)) for way in ways]
        assert len(set(files)) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_a_chapter(name: str) -> None:
    """Twenty minutes; one where encoding takes seconds."""
    minutes = 1 if name in ("ogg", "opus", "mp3") else 20
    rate_hz = min(FORMATS[name].sample_rates_hz[-1], RATE_HZ)
    samples = np.tile(voice(10 * rate_hz, rate_hz), 6 * minutes)
    decoded = decode(name, ENCODERS[name].encode(samples, rate_hz), rate_hz)
    decoded = audible(name, decoded, len(samples))
    assert len(decoded) == minutes * 60 * rate_hz
    end = slice(-10 * rate_hz, None)
    assert difference(decoded[end], samples[end]) <= LOSS.get(name, 0)


@for_each("name", FORMATS)
def test_no_samples_at_all(name: str) -> None:
    """Still a file that can be opened, where the format has any header."""
    entry = FORMATS[name]
    rate_hz = entry.sample_rates_hz[0]
    decoded = decode(name, ENCODERS[name].encode(voice(0), rate_hz), rate_hz)
    assert len(audible(name, decoded, 0)) <= 1
    stream = b"".join(in_pieces(ENCODERS[name].stream(rate_hz, None), voice(0), []))
    assert stream[:4] == ENCODERS[name].encode(voice(0), rate_hz)[:4]


def test_a_stream_of_aiff_tells_its_length() -> None:
    """Which its header must: nothing is sent before the end; it claimed half a day."""
    encoder = ENCODERS["aiff"].stream(RATE_HZ, None)
    first, last = in_pieces(encoder, voice(5000), [5000])
    assert first == b""
    assert last == ENCODERS["aiff"].encode(voice(5000), RATE_HZ)
    assert soundfile.info(io.BytesIO(last)).frames == 5000
    assert int.from_bytes(last[22:26], "big") == 5000


@for_each("name", [name for name, entry in FORMATS.items() if entry.streams])
def test_a_stream_sends_while_audio_is_made(name: str) -> None:
    """What is held back after each frame of the model is less than a page or block."""
    rate_hz = min(FORMATS[name].sample_rates_hz[-1], RATE_HZ)
    frame = rate_hz * 80 // 1000
    samples = voice(50 * frame, rate_hz)
    chunks = in_pieces(ENCODERS[name].stream(rate_hz, None), samples, [frame] * 50)
    sent = [index for index, chunk in enumerate(chunks[:-1]) if chunk]
    gaps = np.diff([*sent, 50])
    assert sent[0] == 0
    assert gaps.max() <= (20 if name == "ogg" else 2)


def test_an_opus_stream_is_heard_from_the_first_frame_on() -> None:
    """Behind the two pages of headers there is one of audio; a file has pages of a second."""
    first = ENCODERS["opus"].stream(RATE_HZ, None).encode(voice(1920))
    assert first.count(b"OggS") == 3
    second = ENCODERS["opus"].file(RATE_HZ, None).encode(voice(RATE_HZ // 2))
    assert second.count(b"OggS") == 2


def test_flac_streams_leave_their_length_open() -> None:
    """All else is as in the file, but for what only the end knows."""
    whole = ENCODERS["flac"].encode(voice(5000), RATE_HZ)
    data = b"".join(in_pieces(ENCODERS["flac"].stream(RATE_HZ, None), voice(5000), [1920, 3080]))
    num_samples, sent = (
        int.from_bytes(file[18:26], "big") & (1 << 36) - 1 for file in (whole, data)
    )
    assert (num_samples, sent) == (5000, 0)
    assert data[:12] == whole[:12]
    assert data[FLAC_HEADER:] == whole[FLAC_HEADER:]


def test_a_minute_of_ogg_survives_a_small_stack() -> None:
    """The encoder keeps a whole write on the stack; in one write this would end the process."""
    noise = np.random.default_rng(0).integers(-8000, 8000, 60 * RATE_HZ, dtype=np.int16)
    files = []
    before = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(
            target=lambda: files.append(ENCODERS["ogg"].encode(noise, RATE_HZ))
        )
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    assert len(decode("ogg", files[0], RATE_HZ)) == len(noise)


@for_each("name", FORMATS)
def test_a_format_is_what_it_says(name: str) -> None:
    """Its rate, whether it streams, tells what it is, and has samples of a size."""
    entry = FORMATS[name]
    rate_hz = entry.default_rate_hz
    assert rate_hz in entry.sample_rates_hz
    samples = voice(2 * rate_hz, rate_hz)
    first, *_ = in_pieces(ENCODERS[name].stream(rate_hz, None), samples, [len(samples)])
    assert bool(first) == entry.streams
    file = ENCODERS[name].encode(samples, rate_hz)
    try:
        opened = soundfile.info(io.BytesIO(file)).samplerate == rate_hz
    except soundfile.LibsndfileError:
        opened = False
    assert opened == entry.has_header
    if entry.sample_bytes:
        assert 0 <= len(file) - entry.sample_bytes * len(samples) < 1000
    else:
        assert len(file) < 0.9 * 2 * len(samples)
    assert entry.description
    assert entry.held_back
    assert entry.joined


def test_every_format_has_encoders() -> None:
    assert list(ENCODERS) == list(FORMATS)


def test_no_two_formats_share_a_suffix_or_a_word() -> None:
    """A name that others give means one format."""
    suffixes = [suffix for entry in FORMATS.values() for suffix in entry.suffixes]
    words = [word for entry in FORMATS.values() for word in entry.words]
    assert len(suffixes) == len(set(suffixes))
    assert len(words) == len(set(words))


def test_formats_can_be_asked_without_numpy() -> None:
    """The command line does, which should start at once."""
    code = "import sys, qwen_tts_api.audio; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_formats_have_their_media_types() -> None:
    """Clients choose their decoder by it."""
    assert {name: entry.media_type for name, entry in FORMATS.items()} == {
        "wav": "audio/wav",
        "mp3": "audio/mpeg",
        "opus": "audio/ogg; codecs=opus",
        "ogg": "audio/ogg",
        "flac": "audio/flac",
        "pcm": "audio/pcm",
        "mulaw": "audio/basic",
        "alaw": "audio/PCMA",
        "au": "audio/basic",
        "aiff": "audio/x-aiff",
    }


def test_what_libsndfile_can_is_what_the_formats_need() -> None:
    """A build of it without these would fail at the first request."""
    available = soundfile.available_formats()
    assert {"FLAC", "OGG"} <= set(available)
    assert {"VORBIS", "OPUS"} <= set(soundfile.available_subtypes("OGG"))

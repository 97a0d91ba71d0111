"""What files say of who made them, as readers that are not ours tell it."""

from __future__ import annotations

import io
import wave
from typing import Any

import mutagen
import pytest
import soundfile

from qwen_tts_api import __version__
from qwen_tts_api.audio import FORMATS, SAMPLE_RATES_HZ, AudioFormat
from qwen_tts_api.audio.encoders import ENCODERS
from qwen_tts_api.audio.provenance import MAX_VALUE_CHARS, SOFTWARE, Provenance
from tests.audio.decoding import RATE_HZ, audible, decode, difference, in_pieces, voice
from tests.rows import for_each

MADE = Provenance("Qwen/Qwen3-TTS-12Hz-1.7B-CustomVoice", "Zo\u00eb", 7)
COMMENT = (
    "AI-generated speech; digital_source_type="
    "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia; "
    "model=Qwen/Qwen3-TTS-12Hz-1.7B-CustomVoice; voice=Zo\u00eb; seed=7"
)
CONTAINERS = [entry for entry in FORMATS.values() if entry.has_header]


def make(entry: AudioFormat, *, stream: bool, num_samples: int = 4800) -> bytes:
    rate_hz = entry.default_rate_hz
    makers = ENCODERS[entry.name]
    encoder = (makers.stream if stream else makers.file)(rate_hz, MADE)
    return b"".join(in_pieces(encoder, voice(num_samples, rate_hz), [num_samples]))


@for_each("stream", [False, True])
@for_each("num_samples", [0, 4800])
@for_each("entry", CONTAINERS)
def test_every_container_says_who_made_it(
    entry: AudioFormat, num_samples: int, stream: bool
) -> None:
    """Whole or streamed, with audio or none; read by libsndfile, in AU by its own definition."""
    data = make(entry, stream=stream, num_samples=num_samples)
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        software, comment = file.software, file.comment
    if entry.name == "au":
        annotation = data[24 : int.from_bytes(data[4:8], "big")]
        comment, software = annotation.rstrip(b"\0").decode().split("; software=")
        assert len(annotation) % 8 == 0
    if entry.name == "aiff":
        comment, software = comment.split("; software=")
    assert comment == COMMENT
    assert software.startswith(SOFTWARE)
    assert f"qwen-tts-api {__version__}" == SOFTWARE


@for_each("stream", [False, True])
@for_each(
    ("name", "comment", "software"),
    [
        ("mp3", "COMM::eng", "TSSE"),
        ("aiff", "COMM::eng", "TSSE"),
        ("flac", "comment", "software"),
        ("ogg", "comment", "software"),
        ("opus", "comment", "encoder"),
    ],
)
def test_players_read_it(name: str, comment: str, software: str, stream: bool) -> None:
    """As mutagen does: ID3, or the comments of Xiph's formats."""
    tags: Any = mutagen.File(io.BytesIO(make(FORMATS[name], stream=stream))).tags
    assert [str(text) for text in tags[comment]] == [COMMENT]
    assert str(tags[software][0]).startswith(SOFTWARE)


@for_each("entry", CONTAINERS)
@for_each("stream", [False, True])
def test_the_audio_stays_what_it_is(entry: AudioFormat, stream: bool) -> None:
    """By the decoder, and by Python's own of WAV."""
    data = make(entry, stream=stream)
    plain = ENCODERS[entry.name].encode(voice(4800), RATE_HZ)
    if (entry.name, stream) == ("flac", True):  # libsndfile reads none of unknown length
        assert data[-1000:] == plain[-1000:]
        return
    heard, expected = (decode(entry.name, each, RATE_HZ) for each in (data, plain))
    heard, expected = (audible(entry.name, each, 4800) for each in (heard, expected))
    assert difference(heard, expected) <= (0.1 if entry.name == "ogg" else 0)
    if entry.name == "wav":
        with wave.open(io.BytesIO(data)) as file:
            assert file.readframes(4800) == voice(4800).tobytes()


@pytest.mark.parametrize(("name", "begin"), [("wav", 44), ("aiff", 54)])
def test_a_whole_file_has_its_samples_where_they_were(name: str, begin: int) -> None:
    """Many clients of Coqui's server cut a WAV at byte 44; what is said comes behind."""
    data, plain = make(FORMATS[name], stream=False), ENCODERS[name].encode(voice(4800), RATE_HZ)
    assert data[begin : len(plain)] == plain[begin:]
    order: Any = "little" if name == "wav" else "big"
    assert int.from_bytes(data[4:8], order) == len(data) - 8
    assert len(data) % 2 == 0


def test_a_stream_of_wav_is_aligned() -> None:
    """Who takes the chunk for samples hears it as a click, and the samples behind it right."""
    data = make(FORMATS["wav"], stream=True)
    begin = data.index(b"data") + 8
    assert begin % 2 == 0
    assert data[begin:] == voice(4800).tobytes()
    assert data[4:8] == data[begin - 4 : begin] == b"\xff" * 4


@for_each("rate_hz", SAMPLE_RATES_HZ)
def test_files_of_mp3_may_still_be_joined(rate_hz: int) -> None:
    """A tag between two files is no sound: none of its bytes begins a frame."""
    parts = [voice(seconds * rate_hz, rate_hz) for seconds in (1, 2)]
    files = []
    for samples in parts:
        encoder = ENCODERS["mp3"].file(rate_hz, MADE)
        files.append(encoder.encode(samples) + encoder.finish())
    assert b"\xff" not in MADE.id3()
    alone = [decode("mp3", file, rate_hz) for file in files]
    joined = decode("mp3", b"".join(files), rate_hz)
    assert len(joined) == sum(map(len, alone))
    assert difference(joined[len(alone[0]) + 3000 :], alone[1][3000:]) < 0.01


@for_each(
    ("name", "shown"),
    [
        ("Ryan", "Ryan"),
        ("a\nb\0c\x1b[31m\u202ed", "abc[31md"),
        ("x; seed=1", "x, seed=1"),
        ("half \ud800 pair", "half  pair"),
        ("\u5317" * 300, "\u5317" * MAX_VALUE_CHARS),
    ],
)
def test_names_cannot_say_more_than_a_name(name: str, shown: str) -> None:
    """Of voices, which users register: no control characters, no end of the value, no length."""
    comment = Provenance("nano", name, 1).comment
    assert f"; voice={shown}; seed=1" in comment
    assert comment.isprintable()
    comment.encode()


def test_a_voice_without_a_name_is_not_named() -> None:
    assert "voice" not in Provenance("nano", "", 1).comment


def test_bare_samples_stay_bare() -> None:
    """They have no place for it; the answer's header says it."""
    for entry in (entry for entry in FORMATS.values() if not entry.has_header):
        rate_hz = entry.default_rate_hz
        assert make(entry, stream=True) == ENCODERS[entry.name].encode(
            voice(4800, rate_hz), rate_hz
        )

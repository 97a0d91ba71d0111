"""The formats that audio can be sent in, without numpy: what encodes them is in `encoders.py`.

Everything that depends on a format asks it: the command line and the page for its suffix, the
documents for what it is, the doctor whether its files tell what they are. `make docs` makes the
table of docs/formats.md of it.
"""

from __future__ import annotations

from dataclasses import dataclass

SAMPLE_RATES_HZ = (8_000, 16_000, 22_050, 24_000, 44_100, 48_000)

# Opus has no others.
_OPUS_HZ = (8_000, 16_000, 24_000, 48_000)

# Telephony's codecs are 8 kHz by their standard, and `audio/basic` by its own (RFC 2046).
_TELEPHONE_HZ = (8_000,)

DEFAULT_FORMAT = "wav"
"""Where a request names none."""


@dataclass(frozen=True)
class AudioFormat:
    """A container and codec that audio can be sent in, mono.

    Attributes:
        name: What requests call it, and the usual suffix of its files.
        media_type: Its HTTP `Content-Type`.
        description: What it is, for the documents.
        held_back: What of the audio made so far cannot be played yet in a stream.
        joined: What plays of files that are joined byte by byte.
        streams: Whether bytes leave while audio is made; if not, all of them come at the end.
        has_header: Whether a file tells its rate and codec, so that a decoder can open it.
        sample_bytes: Bytes of a sample; 0 where the audio is compressed.
        other_suffixes: That its files may have, too.
        other_names: What other APIs, media types and ffmpeg call it: a word of names such as
            "g711_ulaw", "audio/x-wav" or "riff-24khz-16bit-mono-pcm".
        sample_rates_hz: The rates that it can have.
        default_rate_hz: That of them where none is asked for: the models' own if it can have it.
        delay_samples: How many samples of silence decoders find before the audio.
    """

    name: str
    media_type: str
    description: str
    held_back: str
    joined: str
    streams: bool = True
    has_header: bool = True
    sample_bytes: int = 0
    other_suffixes: tuple[str, ...] = ()
    other_names: tuple[str, ...] = ()
    sample_rates_hz: tuple[int, ...] = SAMPLE_RATES_HZ
    default_rate_hz: int = 24_000
    delay_samples: int = 0

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Return what its files' names may end in, the usual one first, without a dot."""
        return (self.name, *self.other_suffixes)

    @property
    def words(self) -> frozenset[str]:
        """Return the words by which names that others give it are known."""
        return frozenset({*self.suffixes, *self.other_names})


_ALL, _SOME, _FIRST = "all", "all, where players know chained streams", "the first"

FORMATS = {
    audio_format.name: audio_format
    for audio_format in (
        AudioFormat(
            "wav",
            "audio/wav",
            "16 bit; sizes of 0xFFFFFFFF in a stream",
            held_back="none",
            joined=_FIRST,
            sample_bytes=2,
            other_suffixes=("wave",),
            other_names=("riff",),
        ),
        AudioFormat(
            "mp3",
            "audio/mpeg",
            "LAME, constant 64 kbit/s (32 at 8 kHz, 48 at 16, 96 at 44.1 and 48), by which players "
            "tell the length; 46 ms of silence before the audio and 10 to 40 after it at 24 kHz, "
            "more at lower rates",
            held_back="56 ms",
            joined=_ALL,
            other_names=("mpeg", "mpga", "mpeg3"),
            delay_samples=1105,
        ),
        AudioFormat(
            "opus",
            "audio/ogg; codecs=opus",
            "Ogg Opus, about 64 kbit/s",
            held_back="86 ms",
            joined=_SOME,
            other_names=("libopus", "webm"),
            sample_rates_hz=_OPUS_HZ,
        ),
        AudioFormat(
            "ogg",
            "audio/ogg",
            "Ogg Vorbis, about 70 kbit/s; streams, but late: prefer `opus`",
            held_back="0.7 s or more",
            joined=_SOME,
            other_suffixes=("oga",),
            other_names=("vorbis",),
        ),
        AudioFormat(
            "flac",
            "audio/flac",
            "16 bit, lossless; a stream leaves its length open, which ffmpeg and browsers read and "
            "libsndfile does not",
            held_back="48 ms",
            joined=_FIRST,
        ),
        AudioFormat(
            "pcm",
            "audio/pcm",
            "Little-endian 16 bit, no header",
            held_back="none",
            joined=_ALL,
            has_header=False,
            sample_bytes=2,
            other_suffixes=("raw",),
            other_names=("pcm16", "s16le", "s16", "linear16", "l16", "lpcm"),
        ),
        AudioFormat(
            "mulaw",
            "audio/basic",
            "G.711, 8 kHz, no header, for telephony",
            held_back="none",
            joined=_ALL,
            has_header=False,
            sample_bytes=1,
            other_suffixes=("ulaw",),
            other_names=("mu", "u", "pcmu", "basic"),
            sample_rates_hz=_TELEPHONE_HZ,
            default_rate_hz=8_000,
        ),
        AudioFormat(
            "alaw",
            "audio/PCMA",
            "G.711, 8 kHz, no header, for telephony",
            held_back="none",
            joined=_ALL,
            has_header=False,
            sample_bytes=1,
            other_names=("a", "pcma"),
            sample_rates_hz=_TELEPHONE_HZ,
            default_rate_hz=8_000,
        ),
        AudioFormat(
            "au",
            "audio/basic",
            "Big-endian 16 bit",
            held_back="none",
            joined=_FIRST,
            sample_bytes=2,
            other_suffixes=("snd",),
        ),
        AudioFormat(
            "aiff",
            "audio/x-aiff",
            "Big-endian 16 bit; not for streams, since its head must tell the length",
            held_back="all",
            joined=_FIRST,
            streams=False,
            sample_bytes=2,
            other_suffixes=("aif",),
            other_names=("aifc",),
        ),
    )
}

_FAMILIES = ("ogg", "pcm")
"""Others belong to them: "ogg_opus" is Opus, "pcm_mulaw" is mu-law."""


def named_by(words: set[str]) -> AudioFormat | None:
    """Return the format that is meant by a name with these words in it, if there is one."""
    meant = [audio_format for audio_format in FORMATS.values() if words & audio_format.words]
    return min(meant, key=lambda found: found.name in _FAMILIES, default=None)


def of_suffix(suffix: str) -> AudioFormat | None:
    """Return the format of files that end so, without the dot."""
    return next((entry for entry in FORMATS.values() if suffix.lower() in entry.suffixes), None)

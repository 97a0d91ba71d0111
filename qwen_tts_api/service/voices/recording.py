"""Decode, validate and resample reference recordings from untrusted clients.

Trusted: that libsndfile (with libFLAC, libvorbis, libopus and mpg123) decodes hostile files of the
four formats below safely; its other formats are never reached. Not trusted: any number in a header.
Audio is decoded second by second, never by the length in the header: 40 bytes of FLAC can claim
256 GiB, and 10 MB of FLAC can hold 37 hours of silence.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from qwen_tts_api.errors import InvalidAudio, InvalidRequest
from qwen_tts_api.model.utterance import MAX_REFERENCE_S, SAMPLE_RATE_HZ

Waveform = npt.NDArray[np.float32]
"""Samples of one channel, full scale at 1; what is spoken has 16 bits (`audio.encoder.Samples`)."""

ALLOWED = "WAV, FLAC, Ogg (Vorbis or Opus) and MP3"
MIN_DURATION_S = 1
MIN_RATE_HZ = 8_000
MAX_RATE_HZ = 192_000
MAX_CHANNELS = 2
MAX_REF_TEXT_CHARS = 2000

# By libsndfile's names. Rare codecs in a WAV, such as ADPCM and GSM, are not accepted.
_FORMATS = {
    "WAV": {"PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"},
    "WAVEX": {"PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"},
    "FLAC": {"PCM_S8", "PCM_16", "PCM_24"},
    "OGG": {"VORBIS", "OPUS"},
    "MP3": {"MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III"},
}
# From here on a RIFF size means "unknown", as programs write it that stream a WAV.
_UNKNOWN_RIFF_SIZE = 0x7FFF_0000
# libsndfile's frame count of a streamed FLAC, in which soundfile fails to seek.
_UNKNOWN_FRAMES = 2**63 - 1
# -50 dB of full scale: a recording below it is noise of a muted microphone.
_SILENCE = 0.003
# Samples beyond full scale are clipped later; this far beyond they are integers stored as floats.
_MAX_PEAK = 4.0


def read_recording(data: bytes, max_bytes: int, field: str = "ref_audio") -> Waveform:
    """Decode an audio file to samples: float32 `[n]`, mono, at SAMPLE_RATE_HZ.

    Args:
        data: The file.
        max_bytes: Maximum size of the file.
        field: The request's field that the error names.

    Raises:
        InvalidAudio: It is too large, not in an allowed format, damaged, shorter than
            MIN_DURATION_S, longer than MAX_REFERENCE_S, or silent.
    """
    try:
        return _read(data, max_bytes)
    except _InvalidRecording as error:
        raise InvalidAudio(
            f"The recording {error}.", fields={field: [f"The recording {error}."]}
        ) from None


class _InvalidRecording(Exception):
    """The recording is refused; the message continues the sentence "The recording"."""


def _read(data: bytes, max_bytes: int) -> Waveform:
    if len(data) > max_bytes:
        raise _InvalidRecording(f"has {len(data)} bytes; QWEN_MAX_AUDIO_BYTES allows {max_bytes}")
    if not _has_magic(data):
        raise _InvalidRecording(f"is not of a kind that is read; send {ALLOWED}")
    if _is_truncated(data):
        raise _InvalidRecording("is cut short: its header announces more than there is")
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            _check_header(file)
            samples = _resample(_read_mono(file), file.samplerate)
    except soundfile.SoundFileError as error:
        reason = getattr(error, "error_string", error)  # without the repr of the file object
        raise _InvalidRecording(f"cannot be read ({reason}); send {ALLOWED}") from None
    if np.ptp(samples) < 2 * _SILENCE:
        raise _InvalidRecording("is silent")
    return samples


def check_ref_text(text: str) -> str:
    """Validate the transcript of a recording, and strip surrounding white space.

    Raises:
        InvalidRequest: It is too long for a recording, or not valid Unicode.
    """
    text = text.strip()
    if len(text) > MAX_REF_TEXT_CHARS or any("\ud800" <= char <= "\udfff" for char in text):
        raise InvalidRequest(
            f"'ref_text' has {len(text)} characters; allowed are up to {MAX_REF_TEXT_CHARS}, in "
            "valid Unicode.",
            fields={"ref_text": [f"Up to {MAX_REF_TEXT_CHARS} characters of valid Unicode."]},
        )
    return text


def _has_magic(data: bytes) -> bool:
    if data[:4] == b"RIFF":
        return data[8:12] == b"WAVE"
    is_mpeg = len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0
    return data[:4] in (b"fLaC", b"OggS") or data[:3] == b"ID3" or is_mpeg


def _is_truncated(data: bytes) -> bool:
    """Return whether a WAV is truncated, which libsndfile ignores; for FLAC it raises itself."""
    size = int.from_bytes(data[4:8], "little")
    return data[:4] == b"RIFF" and len(data) < size + 8 and size < _UNKNOWN_RIFF_SIZE


def _check_header(file: soundfile.SoundFile) -> None:
    if file.subtype not in _FORMATS.get(file.format, ()):
        raise _InvalidRecording(f"is {file.format} with {file.subtype}; send {ALLOWED}")
    if not MIN_RATE_HZ <= file.samplerate <= MAX_RATE_HZ:
        raise _InvalidRecording(
            f"has {file.samplerate} samples a second; allowed are {MIN_RATE_HZ} to {MAX_RATE_HZ}"
        )
    if not 1 <= file.channels <= MAX_CHANNELS:
        raise _InvalidRecording(f"has {file.channels} channels; allowed are 1 and {MAX_CHANNELS}")
    if file.frames == _UNKNOWN_FRAMES:
        raise _InvalidRecording("does not tell its length: write it to a file instead of a pipe")


def _read_mono(file: soundfile.SoundFile) -> Iterator[Waveform]:
    """Decode a file second by second, and mix its channels to mono.

    Raises:
        _InvalidRecording: It is too short or too long, or has invalid samples.
    """
    num_frames = 0
    while len(block := file.read(file.samplerate, dtype="float32", always_2d=True)):
        num_frames += len(block)
        if num_frames > MAX_REFERENCE_S * file.samplerate:
            raise _InvalidRecording(f"is longer than {MAX_REFERENCE_S} s")
        if not np.isfinite(block).all():
            raise _InvalidRecording("has samples that are not numbers")
        if np.abs(block).max() > _MAX_PEAK:
            raise _InvalidRecording("has samples far beyond full scale, which is -1 to 1")
        yield block.mean(axis=1)
    if num_frames < MIN_DURATION_S * file.samplerate:
        raise _InvalidRecording(
            f"is {num_frames / file.samplerate:.2f} s long; allowed are {MIN_DURATION_S} to "
            f"{MAX_REFERENCE_S} s"
        )


def _resample(blocks: Iterator[Waveform], rate_hz: int) -> Waveform:
    stream = soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality="HQ")
    resampled = [stream.resample_chunk(block) for block in blocks]
    resampled.append(stream.resample_chunk(np.zeros(0, np.float32), last=True))
    return np.concatenate(resampled)

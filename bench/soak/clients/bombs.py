"""Malicious recordings: decompression bombs and contradictory headers."""

from __future__ import annotations

import base64
import functools
import io
import random
import struct
import zipfile

import numpy as np
import numpy.typing as npt
import soundfile

from bench.soak.target import CLONING, EXCUSED, Target

RATE_HZ = 24_000


def bomb(target: Target, rng: random.Random) -> str:
    """Send one of them to a Base model, as a file or in JSON: each must be a 4xx."""
    name, data = rng.choice(list(bombs().items()))
    fields = {"text": "Hi.", "ref_text": "Hi.", "model": CLONING}
    if rng.random() < 0.5:
        answer = target.ask("/api/tts", files={"ref_audio": (name, data)}, data=fields)
    else:
        audio = base64.b64encode(data).decode()
        answer = target.ask("/api/tts", json={**fields, "ref_audio": audio})
    if 400 <= answer.status_code < 500 or answer.status_code in EXCUSED:
        return "refused"
    return f"BAD answer to {name}: {answer.status_code}"


@functools.cache
def bombs() -> dict[str, bytes]:
    """Return the recordings by name; all are within the limits on bodies."""
    speech = np.random.default_rng(0).normal(0, 0.1, 2 * RATE_HZ).astype(np.float32)
    holes = speech.copy()
    holes[100] = np.nan
    loud = speech.copy()
    loud[100] = np.inf
    wav = _file(speech, "WAV", "PCM_16")
    return {
        "a FLAC of 256 GiB": _flac_header(),
        "a FLAC of two hours of silence": _silence(2 * 3600),
        "a WAV with samples that are no numbers": _file(holes, "WAV", "FLOAT"),
        "a WAV with infinite samples": _file(loud, "WAV", "FLOAT"),
        "a WAV that announces 4 GB": wav[:4] + b"\xf0\xff\xff\x7e" + wav[8:],
        "a WAV that is cut": wav[: len(wav) // 2],
        "a WAV of ADPCM": _file(speech, "WAV", "IMA_ADPCM"),
        "a WAV of a million samples a second": wav[:24] + struct.pack("<I", 10**6) + wav[28:],
        "an Ogg that is cut": _file(speech, "OGG", "VORBIS")[:3000],
        "an AU": _file(speech, "AU", "PCM_16"),
        "a zip of zeros": _zip(),
        "an MP3 of noise": b"\xff\xfb\x90\x00" + random.Random(0).randbytes(100_000),
        "noise": b"\x01" + random.Random(1).randbytes(100_000),
        "nothing": b"RIFF",
    }


def _flac_header() -> bytes:
    """Return 42 bytes that claim to be 36 bits of samples."""
    streaminfo = struct.pack(">HH3s3s", 4096, 4096, bytes(3), bytes(3))
    claim = (RATE_HZ << 44 | 0 << 41 | 15 << 36 | (1 << 36) - 1).to_bytes(8, "big")
    return b"fLaC" + b"\x80\x00\x00\x22" + streaminfo + claim + bytes(16)


def _silence(seconds: int) -> bytes:
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", 8000, 1, "PCM_16", format="FLAC") as file:
        for _ in range(seconds // 60):
            file.write(np.zeros(60 * 8000, np.int16))
    return buffer.getvalue()


def _file(samples: npt.NDArray[np.float32], container: str, subtype: str) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, RATE_HZ, subtype, format=container)
    return buffer.getvalue()


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("voice.wav", bytes(50_000_000))
    return buffer.getvalue()

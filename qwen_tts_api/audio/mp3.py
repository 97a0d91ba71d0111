"""MP3 by LAME, at a constant bitrate, by which players tell the length of a stream's file, too."""

from __future__ import annotations

import struct

import lameenc

from qwen_tts_api.audio.encoder import Samples
from qwen_tts_api.audio.pcm import little_endian

BITRATES_KBPS = {8_000: 32, 16_000: 48, 24_000: 64, 48_000: 96}

# LAME's own default lies between 3 and 5; 2 takes twice the time (bench/results/encoders.json).
_QUALITY = 5

DELAY_SAMPLES = 576
"""Silence that LAME puts before the audio, besides the 529 samples of every decoder."""


class Mp3Encoder:
    """MP3 as it is made: LAME's frames and nothing else."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._lame = lameenc.Encoder()
        self._lame.silence()
        self._lame.set_channels(1)
        self._lame.set_in_sample_rate(sample_rate_hz)
        self._lame.set_out_sample_rate(sample_rate_hz)
        self._lame.set_bit_rate(BITRATES_KBPS[sample_rate_hz])
        self._lame.set_quality(_QUALITY)
        self._lame.encode(b"")  # so that it can be flushed without any samples

    def encode(self, samples: Samples) -> bytes:
        """Return the frames that are complete."""
        return bytes(self._lame.encode(little_endian(samples)))

    def finish(self) -> bytes:
        """Return the rest, filled up with silence."""
        return bytes(self._lame.flush())


class Mp3FileEncoder(Mp3Encoder):
    """MP3 as a whole file: before LAME's frames one that tells the exact length."""

    def __init__(self, sample_rate_hz: int) -> None:
        super().__init__(sample_rate_hz)
        self._sample_rate_hz = sample_rate_hz
        self._frames = bytearray()
        self._num_samples = 0

    def encode(self, samples: Samples) -> bytes:
        """Keep the frames."""
        self._frames += super().encode(samples)
        self._num_samples += len(samples)
        return b""

    def finish(self) -> bytes:
        """Return the whole file."""
        self._frames += super().finish()
        tag = info_frame(bytes(self._frames), self._sample_rate_hz, self._num_samples)
        return tag + bytes(self._frames)


def info_frame(frames: bytes, sample_rate_hz: int, num_samples: int) -> bytes:
    """Return the silent frame that tells players how much of `frames` is audio.

    It is Xing's header, called "Info" where the bitrate is constant, with LAME's extension, in
    which the silence at either end stands ("MP3 Info Tag rev 1", G. Bouvigne).
    """
    is_mpeg1 = sample_rate_hz >= 32_000
    samples_per_frame = 1152 if is_mpeg1 else 576
    bitrate_kbps = BITRATES_KBPS[sample_rate_hz]
    frame_bytes = samples_per_frame // 8 * 1000 * bitrate_kbps // sample_rate_hz
    num_frames = len(frames) // frame_bytes
    padding = num_frames * samples_per_frame - DELAY_SAMPLES - num_samples
    tag = frames[:4] + bytes(17 if is_mpeg1 else 9)  # a frame's header, and no side information
    tag += struct.pack(">4sIII", b"Info", 0b11, num_frames, len(frames) + frame_bytes)
    tag += struct.pack(">9sBB8xBB", b"LAME3.100", 1, 0, 0, bitrate_kbps)
    tag += (DELAY_SAMPLES << 12 | padding).to_bytes(3, "big")
    tag += struct.pack(">4xIH", len(frames) + frame_bytes, 0)
    tag += _crc16(tag).to_bytes(2, "big")
    return tag.ljust(frame_bytes, b"\0")


def _crc16(data: bytes) -> int:
    """Return the CRC-16 of a tag (polynomial 0x8005, lowest bit first)."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc

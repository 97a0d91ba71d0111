"""MP3 by LAME, at a constant bitrate, by which players tell the length of any file.

No frame says how much there is (Xing's "Info"): clients of long texts join files byte by byte, and
players that believe such a frame of the first stop at its end.
"""

from __future__ import annotations

import lameenc

from qwen_tts_api.audio.encoder import Samples
from qwen_tts_api.audio.pcm import little_endian
from qwen_tts_api.audio.provenance import Provenance

BITRATES_KBPS = {8_000: 32, 16_000: 48, 22_050: 64, 24_000: 64, 44_100: 96, 48_000: 96}

# LAME's own default lies between 3 and 5. They shape the error to what the ear notices, which pays
# where bits are scarce; speech at these rates has enough, and is as close to the original at 7, in
# half the time (bench/results/encoders.json).
LAME_QUALITY = 7


class Mp3Encoder:
    """LAME's frames and nothing else, behind what is said of them.

    Before the audio come 1105 samples of silence: 576 of LAME's, 529 of every decoder's.

    Args:
        sample_rate_hz: One that BITRATES_KBPS has.
        provenance: What the file says of who made it.
        quality: LAME's, from 0, the best and slowest, to 9.
    """

    def __init__(
        self, sample_rate_hz: int, provenance: Provenance | None, quality: int = LAME_QUALITY
    ) -> None:
        self._tag = provenance.id3() if provenance else b""
        self._lame = lameenc.Encoder()
        self._lame.silence()
        self._lame.set_channels(1)
        self._lame.set_in_sample_rate(sample_rate_hz)
        self._lame.set_out_sample_rate(sample_rate_hz)
        self._lame.set_bit_rate(BITRATES_KBPS[sample_rate_hz])
        self._lame.set_quality(quality)
        self._lame.encode(b"")  # so that it can be flushed without any samples

    def encode(self, samples: Samples) -> bytes:
        """Return the frames that are complete."""
        return self._take_tag() + bytes(self._lame.encode(little_endian(samples)))

    def finish(self) -> bytes:
        """Return the rest, filled up with silence."""
        return self._take_tag() + bytes(self._lame.flush())

    def _take_tag(self) -> bytes:
        tag, self._tag = self._tag, b""
        return tag

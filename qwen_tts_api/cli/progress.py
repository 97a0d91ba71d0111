"""The progress of synthesis on a terminal: how much audio has been received, and how fast."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from tqdm import tqdm

from qwen_tts_api.audio import FORMATS


class ProgressLine:
    """A progress line on standard error; nothing is printed if that is not a terminal.

    Args:
        audio_format: If it is uncompressed, bytes are shown as seconds of audio.
        sample_rate_hz: Of the audio; None is the format's default.

    Attributes:
        delay_s: Seconds from the arrival of a text's latest segment to its first sound; None where
            the whole text was there.
    """

    def __init__(self, audio_format: str, sample_rate_hz: int | None) -> None:
        known = FORMATS.get(audio_format)
        self._bytes_per_s = 0
        if known is not None:
            rate_hz = sample_rate_hz or known.default_rate_hz
            self._bytes_per_s = known.sample_bytes * rate_hz
        self.delay_s: float | None = None
        self._num_bytes = 0
        self._began_at = time.monotonic()
        self._is_seen = sys.stderr.isatty()
        self._bar = tqdm(
            desc="starting", bar_format="{desc} ({elapsed})", disable=not self._is_seen, leave=False
        )

    def __enter__(self) -> ProgressLine:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the line."""
        self._bar.close()

    def say(self, doing: str) -> None:
        """Show the current stage, and restart the clock."""
        self._began_at = time.monotonic()
        self._bar.set_description_str(doing)

    def add(self, num_bytes: int) -> None:
        """Count received bytes."""
        self._num_bytes += num_bytes
        self._bar.set_description_str(self.summary, refresh=False)
        self._bar.update()

    @property
    def summary(self) -> str:
        """Return the amount of audio, such as `3.2 s of audio, 8.1 times real time`.

        Where the text is still being written, how long a word takes is told instead of the speed.
        """
        duration_s = self._num_bytes / self._bytes_per_s if self._bytes_per_s else 0.0
        amount = f"{duration_s:.1f} s of audio" if duration_s else f"{self._num_bytes // 1000} kB"
        if self.delay_s is not None:
            return f"{amount}, {self.delay_s:.1f} s from word to sound"
        if not duration_s:
            return amount
        speed = duration_s / max(time.monotonic() - self._began_at, 1e-3)
        return f"{amount}, {speed:.1f} times real time"

    def close(self, summary: str) -> None:
        """Replace the line by a summary that stays."""
        self._bar.close()
        if self._is_seen:
            sys.stderr.write(summary + "\n")

    def stop(self, message: str) -> None:
        """Replace the line by a message, also where no terminal shows a line."""
        self._bar.close()
        sys.stderr.write(message + "\n")

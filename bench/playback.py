"""Simulated playback of streams: latency and underruns."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ


@dataclass
class Playback:
    """The playback of one stream.

    Attributes:
        asked_at: When its request was sent.
        first_at: When its first audio came.
        played_until: Until when what has come keeps it busy.
        underruns: How often it had nothing left to play.
        samples: How much has come.
    """

    asked_at: float
    first_at: float | None = None
    played_until: float = 0.0
    underruns: int = 0
    samples: int = 0

    def hear(self, samples: int, now: float) -> None:
        """Add a chunk."""
        if self.first_at is None:
            self.first_at = self.played_until = now
        elif now > self.played_until:
            self.underruns += 1
            self.played_until = now
        self.played_until += samples / SAMPLE_RATE_HZ
        self.samples += samples


def summary(playbacks: Sequence[Playback], seconds: float) -> dict[str, float]:
    """Summarize the playback of all clients; one without audio counts as waiting to the end."""
    audio_s = sum(each.samples for each in playbacks) / SAMPLE_RATE_HZ
    first = sorted(
        1000 * ((seconds if each.first_at is None else each.first_at) - each.asked_at)
        for each in playbacks
    )
    return {
        "requests": len(playbacks),
        "x": round(audio_s / seconds, 2),
        "first_audio_p50_ms": round(statistics.median(first), 1),
        "first_audio_p95_ms": round(first[math.ceil(0.95 * len(first)) - 1], 1),
        "underruns": sum(each.underruns for each in playbacks),
    }

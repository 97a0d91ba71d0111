"""Estimate when the words of an utterance are spoken, by their letters and by its silences.

Words take time in proportion to their letters. The silences in the audio are matched with the
boundaries between words, so that stops of the text fall on pauses of the speech: by dynamic
programming, a match costs the square of how much longer or shorter the speech since the last match
was than its letters are.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ
from qwen_tts_api.service.times.activity import Activity
from qwen_tts_api.service.times.words import Word

Span = tuple[float, float]

# Costs of a silence at a boundary, and of a boundary without silence, by what ends there.
_PAUSE_COST = (3.0, 0.3, 0.0)
_NO_PAUSE_COST = (0.0, 0.4, 2.0)
_SILENCE_COST_PER_S, _MAX_SILENCE_COST = 10.0, 6.0  # of a silence that no boundary explains
_SPREAD_S2, _SPREAD_S = 0.02, 0.03  # variance of a pace, of a short stretch and for each second
_REACH_S = 5.0  # how far a boundary may lie from where its letters have it
_MAX_SKIPPED = 3  # silences in a row without a boundary
_BEAM = 12  # boundaries of a silence that are followed up


@dataclass(frozen=True)
class _Match:
    """A silence at a boundary; `previous` is the one before."""

    boundary: int
    pause: int
    cost: float
    previous: _Match | None


def estimate(words: Sequence[Word], activity: Activity) -> list[Span]:
    """Return begin and end of each word, in samples of the segment.

    Args:
        words: At least one.
        activity: What is heard of them.
    """
    speech = _Speech(activity)
    has_choice = activity.pauses and len(words) > 1
    matches = _Matcher(words, activity).matches() if has_choice else []
    spans: list[Span] = []
    first, begin = 0, speech.net(activity.begin)
    for match in matches:
        start, _ = activity.pauses[match.pause]
        spans += _share(words[first : match.boundary + 1], begin, speech.net(start), speech)
        first, begin = match.boundary + 1, speech.net(start)
    return spans + _share(words[first:], begin, speech.net(activity.end), speech)


class _Speech:
    """Time without silences, and back."""

    def __init__(self, activity: Activity) -> None:
        self._pauses = activity.pauses
        self._begin = activity.begin

    def net(self, position: float) -> float:
        """Return how much speech there is before a sample."""
        silence = sum(min(end, position) - start for start, end in self._pauses if start < position)
        return position - self._begin - silence

    def begin_at(self, net: float) -> float:
        """Return the sample before which there is so much speech; behind a silence there."""
        position = self._begin + net
        for start, end in self._pauses:
            if start > position:
                break
            position += end - start
        return position

    def end_at(self, net: float) -> float:
        """Likewise, before a silence there."""
        position = self._begin + net
        for start, end in self._pauses:
            if start >= position:
                break
            position += end - start
        return position


def _share(words: Sequence[Word], begin: float, end: float, speech: _Speech) -> list[Span]:
    """Share speech among words, by their letters."""
    total = sum(word.weight for word in words)
    marks = [0.0, *itertools.accumulate(word.weight / total for word in words)]
    nets = [begin + (end - begin) * min(mark, 1.0) for mark in marks]
    return [
        (speech.begin_at(start), max(speech.begin_at(start), speech.end_at(stop)))
        for start, stop in itertools.pairwise(nets)
    ]


class _Matcher:
    """Matches silences with boundaries; the last word's end is that of all speech.

    Args:
        words: At least two.
        activity: Has at least one silence.
    """

    def __init__(self, words: Sequence[Word], activity: Activity) -> None:
        speech, pauses = _Speech(activity), activity.pauses
        total_s = speech.net(activity.end) / SAMPLE_RATE_HZ
        letter_s = total_s / sum(word.weight for word in words)
        self._stops = [word.stop for word in words]
        self._said_s = list(itertools.accumulate(word.weight * letter_s for word in words))
        self._heard_s = [speech.net(start) / SAMPLE_RATE_HZ for start, _ in pauses] + [total_s]
        costs = [
            min(_MAX_SILENCE_COST, _SILENCE_COST_PER_S * (end - start) / SAMPLE_RATE_HZ)
            for start, end in pauses
        ]
        self._silence_costs = list(itertools.accumulate(costs, initial=0.0))
        stops = (_NO_PAUSE_COST[stop] for stop in self._stops)
        self._boundary_costs = list(itertools.accumulate(stops, initial=0.0))

    def matches(self) -> list[_Match]:
        """Return the silences that are at boundaries, in order."""
        reached: list[list[_Match]] = []
        for pause in range(len(self._heard_s) - 1):
            before = list(itertools.chain.from_iterable(reached[-_MAX_SKIPPED - 1 :]))
            here = [self._best(boundary, pause, before) for boundary in self._near(pause)]
            reached.append(sorted(here, key=lambda match: match.cost)[:_BEAM])
        matches = itertools.chain.from_iterable(reached)
        end = self._best(len(self._stops) - 1, len(self._heard_s) - 1, list(matches))
        return _chain(end.previous)

    def _near(self, pause: int) -> range:
        """Return the boundaries that a silence may be at."""
        at_s, last = self._heard_s[pause], len(self._said_s) - 1
        return range(
            bisect.bisect_left(self._said_s, at_s - _REACH_S, 0, last),
            bisect.bisect_right(self._said_s, at_s + _REACH_S, 0, last),
        )

    def _best(self, boundary: int, pause: int, before: list[_Match]) -> _Match:
        """Return the cheapest way to a silence at a boundary."""
        is_end = pause == len(self._heard_s) - 1
        own = 0.0 if is_end else _PAUSE_COST[self._stops[boundary]]
        best = _Match(boundary, pause, own + self._cost(None, boundary, pause), None)
        for match in before:
            if match.boundary < boundary and match.cost + own < best.cost:
                total = match.cost + own + self._cost(match, boundary, pause)
                if total < best.cost:
                    best = _Match(boundary, pause, total, match)
        return best

    def _cost(self, match: _Match | None, boundary: int, pause: int) -> float:
        """Return the cost of what lies between a match, or the beginning, and the next one."""
        said_s, heard_s, word, silence = self._said_s[boundary], self._heard_s[pause], 0, 0
        if match is not None:
            said_s -= self._said_s[match.boundary]
            heard_s -= self._heard_s[match.pause]
            word, silence = match.boundary + 1, match.pause + 1
        skipped = self._silence_costs[pause] - self._silence_costs[silence]
        skipped += self._boundary_costs[boundary] - self._boundary_costs[word]
        spread = _SPREAD_S2 + _SPREAD_S * max(said_s, heard_s)
        return skipped + (said_s - heard_s) ** 2 / spread


def _chain(match: _Match | None) -> list[_Match]:
    chain = []
    while match is not None:
        chain.append(match)
        match = match.previous
    return chain[::-1]


def expected(words: Sequence[Word], samples_per_letter: float) -> list[Span]:
    """Return when words will be spoken at a pace, in samples from the beginning of speech."""
    marks = itertools.accumulate((word.weight for word in words), initial=0.0)
    return list(itertools.pairwise(mark * samples_per_letter for mark in marks))

"""Reports of a soak test: a progress line, a table, and the figures."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import Any

from bench.soak.crowd import Crowd
from bench.soak.life import Level, Lives

LINE_INTERVAL_S = 5.0
MAX_PROBE_MS = 100.0
MAX_ROUNDED = 0.02
"""Share of the answers of which only the beginning is as expected: see `Target.judge`."""
MAX_GROWTH = 0.05
"""Of the memory in the last round of a life."""
MIN_LEVELS = 3
"""A life that was shorter is not judged: what is done for the first time takes memory for good."""
MAX_MORE_THREADS = 2
"""Those that are just answering a probe."""
MAX_MORE_DESCRIPTORS = 4
"""Likewise, with a connection each and what it reads."""


class Ticker:
    """Print the progress, in a thread of its own."""

    def __init__(self, lives: Lives, crowd: Crowd) -> None:
        self._lives = lives
        self._crowd = crowd
        self._began_at = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        print(
            "     s  life     acts  200s   4xx   429   5xx broken  faults  wrong  "
            "MB  threads  probe p50  p99 ms",
            flush=True,
        )
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(LINE_INTERVAL_S):
            crowd, classes = self._crowd, by_class(self._lives.target.answers)
            level = self._lives.level()
            print(
                f"{time.monotonic() - self._began_at:6.0f}{level.life:6d}"
                f"{sum(crowd.outcomes.values()):9d}{classes['2xx']:6d}{classes['4xx']:6d}"
                f"{classes['429']:6d}{classes['5xx']:6d}{classes['broken']:7d}"
                f"{sum(self._lives.faults().values()):8d}{crowd.num_wrong:7d}"
                f"{level.rss_mb:6d}{level.threads:7d}"
                f"{percentile(crowd.probes_ms, 0.5):10.1f}{percentile(crowd.probes_ms, 0.99):9.1f}"
                f"{'  starting again' if self._lives.outages.now else ''}",
                flush=True,
            )


def by_class(answers: Counter[int]) -> Counter[str]:
    """Return the number of responses by class of status."""
    classes: Counter[str] = Counter()
    for status, count in list(answers.items()):
        name = "429" if status == 429 else f"{status // 100}xx" if status else "broken"
        classes[name] += count
    return classes


def percentile(values: list[float], share: float) -> float:
    """Return a percentile; 0 for an empty list."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0


def summarise(lives: Lives, crowd: Crowd, levels: list[Level]) -> dict[str, Any]:
    """Return the figures, and the failed checks."""
    faults, answers = lives.faults(), lives.target.answers
    result = {
        "requests": sum(answers.values()),
        "answers": {str(status): count for status, count in sorted(answers.items())},
        "answers_by_class": dict(sorted(by_class(answers).items())),
        "lost_or_wrong": crowd.num_wrong,
        "wrong": crowd.wrong,
        "faults": sum(faults.values()),
        "faults_by_stage": dict(sorted(faults.items())),
        "deaths": dict(lives.deaths),
        "wrong_exit_codes": lives.wrong_exits,
        "signals": dict(lives.signals),
        "acts": dict(sorted(crowd.outcomes.items())),
        "fuzzed": {"requests": sum(crowd.fuzzed.values()), "operations": len(crowd.fuzzed)},
        "levels": [vars(level) for level in levels],
        "before_and_after": [
            {"life": first.life, "rss_mb": [first.rss_mb, last.rss_mb]}
            | {"threads": [first.threads, last.threads]}
            | {"descriptors": [first.descriptors, last.descriptors]}
            for first, last in _last_rounds(levels)
        ],
        "probes": len(crowd.probes_ms),
        "probe_p50_ms": round(percentile(crowd.probes_ms, 0.5), 1),
        "probe_p99_ms": round(percentile(crowd.probes_ms, 0.99), 1),
        "probe_max_ms": round(max(crowd.probes_ms, default=0.0), 1),
    }
    return {**result, "missed": _missed(result, levels)}


def _last_rounds(levels: list[Level]) -> list[tuple[Level, Level]]:
    """Return the levels before and after the last round of each life that is judged."""
    lives: dict[int, list[Level]] = {}
    for level in levels:
        lives.setdefault(level.life, []).append(level)
    return [(found[-2], found[-1]) for found in lives.values() if len(found) >= MIN_LEVELS]


def _missed(result: dict[str, Any], levels: list[Level]) -> list[str]:
    missed = []
    if result["lost_or_wrong"]:
        missed.append(f"{result['lost_or_wrong']} answers were lost or wrong")
    rounded, right = (_count(result["acts"], word) for word in ("rounded", "right"))
    if rounded > MAX_ROUNDED * (right + rounded) + 3:
        missed.append(f"{rounded} of {right + rounded} answers went their own way")
    if result["wrong_exit_codes"]:
        missed.append(f"the server ended with {result['wrong_exit_codes']}")
    if result["probe_p99_ms"] >= MAX_PROBE_MS:
        missed.append(f"probes took {result['probe_p99_ms']} ms (p99)")
    return [*missed, *growth(levels)]


def _count(acts: dict[str, int], word: str) -> int:
    return sum(count for outcome, count in acts.items() if outcome.endswith(f": {word}"))


def growth(levels: list[Level]) -> list[str]:
    """Return the sizes that grew although they should be constant."""
    grown = []
    for first, last in _last_rounds(levels):
        if last.rss_mb > (1 + MAX_GROWTH) * first.rss_mb:
            grown.append(f"memory grew from {first.rss_mb} to {last.rss_mb} MB")
        if last.threads > first.threads + MAX_MORE_THREADS:
            grown.append(f"threads grew from {first.threads} to {last.threads}")
        if last.descriptors > first.descriptors + MAX_MORE_DESCRIPTORS:
            grown.append(f"descriptors grew from {first.descriptors} to {last.descriptors}")
    return grown


def table(result: dict[str, Any]) -> str:
    """Return the figures as a readable table."""
    lines = ["", f"{'act':<18}{'outcome':<28}{'times':>8}"]
    for outcome, count in result["acts"].items():
        act, _, word = outcome.partition(": ")
        lines.append(f"{act:<18}{word:<28}{count:>8}")
    lines += ["", f"{'injected into':<18}{'error':<28}{'times':>8}"]
    for fault, count in result["faults_by_stage"].items():
        stage, _, error = fault.partition(": ")
        lines.append(f"{stage:<18}{error:<28}{count:>8}")
    pairs = {
        "requests": result["requests"],
        "answers": ", ".join(f"{n} {name}" for name, n in result["answers_by_class"].items()),
        "deaths": ", ".join(f"{n} {how}" for how, n in result["deaths"].items()) or "none",
        "fuzzed": "{requests} requests, {operations} operations".format(**result["fuzzed"]),
        "lost or wrong": result["lost_or_wrong"],
        "probes": "{probes}, p50 {probe_p50_ms} ms, p99 {probe_p99_ms} ms, "
        "max {probe_max_ms} ms".format(**result),
    }
    for life in result["before_and_after"]:
        first, last = life["rss_mb"]
        pairs[f"life {life['life']}"] = (
            f"{first} MB before, {last} MB after; "
            f"{life['threads'][0]} threads before, {life['threads'][1]} after; "
            f"{life['descriptors'][0]} descriptors before, {life['descriptors'][1]} after"
        )
    lines += ["", *(f"{name:<18}{value}" for name, value in pairs.items())]
    lines += ["", *(result["missed"] or ["All is as it should be."])]
    return "\n".join([*lines, *result["wrong"]])

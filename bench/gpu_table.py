"""Markdown tables of the results of `bench.gpu`, complete or not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench import aims
from bench.figures import STATE
from bench.parts import Outcome, Part

COLUMNS = {
    "x": "x real time",
    "ms_per_step": "ms a step",
    "first_audio_p50_ms": "first audio p50, ms",
    "first_audio_p95_ms": "p95, ms",
    "underruns": "underruns",
}


def write_table(folder: Path, parts: Sequence[Part], outcomes: Sequence[Outcome]) -> str:
    """Write `<folder>/gpu.md`, and return its text."""
    documents = read_results(folder)
    lines = [line for size, document in documents.items() for line in _size(size, document)]
    text = "\n".join([*lines, *_parts(parts, outcomes), ""])
    (folder / "gpu.md").write_text(text)
    return text


def read_results(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the documents of all sizes in a folder, the largest size first."""
    paths = sorted(folder.glob("gpu_*.json"), reverse=True)
    return {path.stem.removeprefix("gpu_"): json.loads(path.read_text()) for path in paths}


def _size(size: str, document: dict[str, Any]) -> Iterator[str]:
    hardware, groups = document["hardware"], document["result"]
    device = hardware["gpu"] or f"CPU, {hardware['cpu']}"
    versions = f"PyTorch {hardware['torch']}"
    if hardware.get("driver"):
        versions += f", Triton {hardware['triton']}, driver {hardware['driver']}"
    yield f"## {size} on {device}, {versions}, {document['date']}"
    yield ""
    yield f"| | {' | '.join(COLUMNS.values())} |"
    yield "|---" * (1 + len(COLUMNS)) + "|"
    others = []
    for group, rows in groups.items():
        for row, values in rows.items():
            if values.keys() & COLUMNS.keys():
                cells = [str(values.get(column, "")) for column in COLUMNS]
                yield f"| {group}, {row} | {' | '.join(cells)} |"
            else:
                others.append(f"- {group}, {row}: {_list(values)}")
    yield ""
    yield from [*others, *_clocks(groups), ""]
    if size == aims.SIZE:
        yield from [*aims.judged(groups), ""]


def _list(values: dict[str, Any]) -> str:
    figures = [f"{name} {value}" for name, value in values.items() if name != STATE]
    return ", ".join(figures) or "no figures here"


def _clocks(groups: dict[str, Any]) -> Iterator[str]:
    """Yield how fast the device was after each row, and what slowed it, if that is known."""
    states = [values.get(STATE, {}) for rows in groups.values() for values in rows.values()]
    clocks = [state["sm_mhz"] for state in states if isinstance(state.get("sm_mhz"), float)]
    if clocks:
        reasons = sorted({str(state["slowed_by"]) for state in states if state})
        yield f"- clock: {min(clocks):g} to {max(clocks):g} MHz, slowed by {', '.join(reasons)}"


def _parts(parts: Sequence[Part], outcomes: Sequence[Outcome]) -> Iterator[str]:
    ended = {outcome.name: outcome for outcome in outcomes}
    yield "| part | | s |"
    yield "|---|---|---|"
    for part in parts:
        if part.name in ended:
            outcome = ended[part.name]
            words = f": {outcome.last_words}".replace("|", "/") if outcome.last_words else ""
            yield f"| {part.name} | {outcome.ending}{words} | {outcome.seconds} |"
        else:
            yield f"| {part.name} | not ended | |"

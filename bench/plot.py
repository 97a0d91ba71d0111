"""What `bench.gpu` measured as a picture: speed and first audio against the number of streams."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")  # a file, whether there is a screen or not

from matplotlib.axes import Axes
from matplotlib.figure import Figure

AIMS = {"x": {1: 20.0, 64: 250.0}, "first_audio_ms": {1: 20.0}}
"""On one H200, for the 1.7B model: by number of streams."""

_SERIES = {"graphs": ("CUDA graphs", "o-"), "eager": ("eager", "s--")}
_OTHERS = {
    "upstream, one stream": ("qwen-tts", "^"),
    "faster-qwen3-tts, one stream": ("faster-qwen3-tts", "D"),
}


def plot(results: dict[str, dict[str, Any]], path: Path) -> None:
    """Draw the results of `gpu.measure` by size into a PNG, two panels a size."""
    figure = Figure(figsize=(11, 4 * len(results)), layout="constrained")
    panels = figure.subplots(len(results), 2, squeeze=False)
    for (size, result), (speed, latency) in zip(results.items(), panels, strict=True):
        _draw(speed, result, "x", "seconds of audio a second, all streams")
        _draw(latency, result, "first_audio_ms", "first audio of the last stream, ms")
        speed.set_title(f"{size}, {result['dtype']}, {result['attention']}")
        latency.set_title(f"{size}: requests that begin together")
    figure.savefig(path, dpi=110)


def _draw(axes: Axes, result: dict[str, Any], figure: str, label: str) -> None:
    for key, (name, style) in _SERIES.items():
        rows = {int(row.split()[0]): values[figure] for row, values in result[key].items()}
        axes.plot(list(rows), list(rows.values()), style, label=name)
    for key, (name, marker) in _OTHERS.items():
        if figure in result.get(key, {}):
            axes.plot([1], [result[key][figure]], marker, markersize=9, label=name)
    for streams, aim in AIMS[figure].items():
        axes.axhline(aim, color="grey", linestyle=":")
        plural = "s" * (streams > 1)
        axes.annotate(f"aim, {streams} stream{plural}: {aim:g}", (1, aim), va="bottom", size=8)
    axes.set(xscale="log", yscale="log", xlabel="streams", ylabel=label)
    axes.set_xticks(ticks := sorted({int(row.split()[0]) for row in result["graphs"]}))
    axes.set_xticklabels([str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize=8)

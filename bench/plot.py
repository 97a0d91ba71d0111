"""Plot the results of `bench.gpu`: speed and time to first audio by number of streams.

    python -m bench.plot bench/results

Reads `gpu_<size>.json`, of which something may be missing, and draws `gpu.png` beside them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")  # a file, whether there is a screen or not

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench import aims
from bench.gpu_table import read_results

_SERIES = {
    "graphs": ("CUDA graphs", "o-"),
    "eager": ("eager", "s--"),
    "HTTP": ("over HTTP", "x:"),
    "qwen-tts": ("qwen-tts", "^"),
    "faster-qwen3-tts": ("faster-qwen3-tts", "D"),
}


def plot(results: dict[str, dict[str, Any]], path: Path) -> None:
    """Plot the results of all sizes to a PNG, two panels per size."""
    figure = Figure(figsize=(11, 4 * len(results)), layout="constrained")
    panels = figure.subplots(len(results), 2, squeeze=False)
    for (size, result), (speed, latency) in zip(results.items(), panels, strict=True):
        _draw(speed, size, result, "x", "seconds of audio a second, all streams")
        _draw(latency, size, result, "first_audio_p50_ms", "first audio, median, ms")
        speed.set_title(f"{size}: {_placement(result)}")
        latency.set_title(f"{size}: requests that begin together")
    figure.savefig(path, dpi=110)


def _draw(axes: Axes, size: str, result: dict[str, Any], figure: str, label: str) -> None:
    bounds = _bounds(figure) if size == aims.SIZE else {}
    ticks = set(bounds)
    for group, (name, style) in _SERIES.items():
        rows = result.get(group, {}).items()
        points = {int(row.split()[0]): values[figure] for row, values in rows if figure in values}
        if points:
            axes.plot(list(points), list(points.values()), style, label=name)
            ticks |= points.keys()
    for streams, bound in bounds.items():
        axes.axhline(bound, color="grey", linestyle=":")
        plural = "s" * (streams > 1)
        axes.annotate(f"aim, {streams} stream{plural}: {bound:g}", (1, bound), va="bottom", size=8)
    axes.set(xscale="log", yscale="log", xlabel="streams", ylabel=label)
    axes.set_xticks(sorted(ticks))
    axes.set_xticklabels([str(tick) for tick in sorted(ticks)])
    axes.minorticks_off()
    axes.grid(visible=True, alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8)


def _placement(result: dict[str, Any]) -> str:
    return ", ".join(result.get("model", {}).get("placement", {}).values())


def _bounds(figure: str) -> dict[int, float]:
    """Return what is aimed at by number of streams."""
    return {
        int(aim.row.split()[0]): aim.bound
        for aim in aims.AIMS
        if aim.group == "graphs" and aim.figure == figure
    }


def main() -> int:
    """Plot; return the exit status."""
    folder = Path(sys.argv[1])
    results = {size: document["result"] for size, document in read_results(folder).items()}
    if not results:
        print(f"error: there are no results in {folder}", file=sys.stderr)
        return 1
    plot(results, folder / "gpu.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())

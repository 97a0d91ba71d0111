"""Step 7: plot the training curves.

python -m tools.nano.curves PICTURE.png
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tools.nano.settings import NANO_DIR


def _figures(name: str) -> dict[str, list[float]]:
    """Return the columns of a log."""
    lines = (NANO_DIR / name).read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return {key: [row[key] for row in rows] for key in rows[0]}


def main() -> None:
    """Plot `fitting.jsonl` and `training.jsonl`."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    picture = parser.parse_args().picture
    decoder, reader = _figures("fitting.jsonl"), _figures("training.jsonl")
    _, every = pyplot.subplots(1, 3, figsize=(13, 3.5), layout="constrained")
    for axes, title, figures, names in (
        (every[0], "decoder: differences of log amplitude", decoder, ("loss", "check_loss")),
        (every[1], "cross entropy of code 0", reader, ("loss", "check_loss")),
        (every[2], "right frames, texts not seen", reader, ("told_before", "alone")),
    ):
        for name in names:
            axes.plot(figures["step"], figures[name], label=name)
        axes.set_title(title)
        axes.set_xlabel("steps")
        axes.grid(alpha=0.3)
        axes.legend()
    for axes in every[:2]:
        axes.set_yscale("log")
    pyplot.savefig(picture, dpi=80)


if __name__ == "__main__":
    main()

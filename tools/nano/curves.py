"""Step 7: the curves of the training, as a picture.

python -m tools.nano.curves PICTURE.png
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tools.nano.settings import NANO_DIR


def main() -> None:
    """Draw what `training.jsonl` tells: losses to the left, right frames to the right."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    picture = parser.parse_args().picture
    lines = (NANO_DIR / "training.jsonl").read_text(encoding="utf-8").splitlines()
    figures = [json.loads(line) for line in lines]
    steps = [entry["step"] for entry in figures]
    _, (losses, shares) = pyplot.subplots(1, 2, figsize=(10, 3.5), layout="constrained")
    for axes, names in ((losses, ("loss", "check_loss")), (shares, ("told_before", "alone"))):
        for name in names:
            axes.plot(steps, [entry[name] for entry in figures], label=name)
        axes.set_xlabel("steps")
        axes.grid(alpha=0.3)
        axes.legend()
    losses.set_yscale("log")
    losses.set_title("cross entropy of code 0")
    shares.set_title("share of right frames, texts not seen")
    pyplot.savefig(picture, dpi=80)


if __name__ == "__main__":
    main()

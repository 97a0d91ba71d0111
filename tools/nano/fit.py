"""Step 2: teach the decoder what codes sound like: the means of the teacher's frames.

    python -m tools.nano.fit --steps 6000

Writes `decoder.pt`. It does not go on from an earlier run: it takes minutes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from tools.nano.decoder import Decoder, around
from tools.nano.features import NUM_NODES, SPECTRA_PER_FRAME
from tools.nano.means import Means, Surroundings, recordings
from tools.nano.settings import NANO_DIR, Array
from tools.nano.timing import SILENT
from tools.nano.units import Units

STATE, LOG = NANO_DIR / "decoder.pt", NANO_DIR / "fitting.jsonl"

LEARNING_RATE = 1e-3
WARM_UP_STEPS = 100
FRAMES_PER_STEP = 512
CHECK_EVERY = 250
_NUM_CHECK_TEXTS = 40
_FAINT = 0.003
"""Amplitudes are compared by their logarithms, those that are fainter by themselves."""


def loudness(amplitudes: Tensor) -> Tensor:
    """Return what differences are measured in: logarithms, of faint and negative ones straight."""
    bent = torch.log1p(amplitudes.clamp(min=0) / _FAINT)
    return torch.where(amplitudes > 0, bent, amplitudes / _FAINT)


class Frames:
    """What the decoder is to say.

    Args:
        texts: What is around the frames of each text.
    """

    def __init__(self, texts: list[list[Surroundings]], means: Means, units: Units) -> None:
        codes, targets = [], []
        silence = np.zeros((1, SPECTRA_PER_FRAME, NUM_NODES))
        for text in texts:
            edges = [frame.edge for frame in text] + [(SILENT, SILENT)]
            codes.append(around(np.array([units.code(edge) for edge in edges])))
            targets.append(np.concatenate((silence, [means.heard(frame) for frame in text])))
        self.codes = torch.from_numpy(np.concatenate(codes))
        self.targets = torch.from_numpy(np.concatenate(targets)).float()

    def loss(self, decoder: Decoder, rows: Tensor) -> Tensor:
        """Return the mean square of differences in loudness."""
        said = decoder(self.codes[rows])
        return functional.mse_loss(loudness(said), loudness(self.targets[rows]))


def fit(
    texts: list[tuple[list[Surroundings], Array]], units: Units, steps: int, log: Path
) -> tuple[Decoder, float]:
    """Train a decoder.

    Args:
        texts: What is around the frames of each text, and these: `[n, 5, nodes]`.
        units: The codes.
        steps: How long.
        log: Where the figures go, a line of JSON each.

    Returns:
        The decoder, and the greatest amplitude that it is to make.
    """
    means = Means(frame for said, heard in texts for frame in zip(said, heard, strict=True))
    unseen = Frames([said for said, _ in texts[:_NUM_CHECK_TEXTS]], means, units)
    frames = Frames([said for said, _ in texts[_NUM_CHECK_TEXTS:]], means, units)
    decoder = Decoder(np.stack([means.of_edge(edge) for edge in units.known]))
    optimizer = torch.optim.AdamW(
        decoder.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.01
    )
    average = float("nan")
    progress = tqdm(range(steps), mininterval=5)
    for step in progress:
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * min((step + 1) / WARM_UP_STEPS, 1 - step / steps)
        loss = frames.loss(decoder, torch.randint(len(frames.codes), (FRAMES_PER_STEP,)))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(decoder.parameters(), 1.0, error_if_nonfinite=True)
        optimizer.step()
        average = loss.item() if average != average else 0.97 * average + 0.03 * loss.item()
        if (step + 1) % CHECK_EVERY == 0 or step + 1 == steps:
            with torch.inference_mode():
                check = unseen.loss(decoder, torch.arange(len(unseen.codes))).item()
            figures = {"step": step + 1, "loss": average, "check_loss": check}
            with log.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(figures) + "\n")
            progress.write(json.dumps(figures))
    return decoder, float(frames.targets.max())


def main() -> None:
    """Fit, and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    LOG.unlink(missing_ok=True)
    texts = [(said, heard) for _, said, heard in recordings()]
    decoder, loudest = fit(texts, Units.load(), arguments.steps, LOG)
    scratch = STATE.with_suffix(".part")
    torch.save({"decoder": decoder.state_dict(), "loudest": loudest}, scratch)
    scratch.rename(STATE)


if __name__ == "__main__":
    main()

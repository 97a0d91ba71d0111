"""Step 2: fit the decoder to the mean spectra of the teacher's frames.

    python -m tools.nano.fit --steps 6000

Ended at any moment, it goes on from the last state it saved (`decoder.pt`); remove that where
recordings have been added.
"""

from __future__ import annotations

import argparse
import json
import time
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
from tools.nano.state import save
from tools.nano.units import Units

STATE, LOG = "decoder.pt", "fitting.jsonl"

LEARNING_RATE = 1e-3
WARM_UP_STEPS = 100
FRAMES_PER_STEP = 512
CHECK_EVERY = 250
SAVE_EVERY_S = 60.0
_NUM_CHECK_TEXTS = 40
_FAINT = 0.003
"""Amplitudes are compared by their logarithms, those that are fainter by themselves."""


def loudness(amplitudes: Tensor) -> Tensor:
    """Return what differences are measured in: logarithms, of faint and negative ones straight."""
    bent = torch.log1p(amplitudes.clamp(min=0) / _FAINT)
    return torch.where(amplitudes > 0, bent, amplitudes / _FAINT)


class Frames:
    """The training targets of the decoder.

    Args:
        texts: What is around the frames of each text.
        means: What these sound like.
        units: The codes.
        device: Where to put them.
    """

    def __init__(
        self, texts: list[list[Surroundings]], means: Means, units: Units, device: str
    ) -> None:
        codes, targets = [], []
        silence = np.zeros((1, SPECTRA_PER_FRAME, NUM_NODES))
        for text in texts:
            codes.append(around(np.array(units.codes([frame.edge for frame in text]))))
            targets.append(np.concatenate((silence, [means.heard(frame) for frame in text])))
        self.codes = torch.from_numpy(np.concatenate(codes)).to(device)
        self.targets = torch.from_numpy(np.concatenate(targets)).float().to(device)

    def loss(self, decoder: Decoder, rows: Tensor) -> Tensor:
        """Return the mean square of differences in loudness."""
        said = decoder(self.codes[rows])
        return functional.mse_loss(loudness(said), loudness(self.targets[rows]))

    def draw(self, count: int) -> Tensor:
        """Return the numbers of random frames."""
        return torch.randint(len(self.codes), (count,), device=self.codes.device)


def fit(
    texts: list[tuple[list[Surroundings], Array]], units: Units, steps: int, folder: Path
) -> None:
    """Train a decoder until `steps` steps have been made, from the last state on.

    Args:
        texts: What is around the frames of each text, and these: `[n, 5, nodes]`.
        units: The codes.
        steps: How long.
        folder: Where the state and the figures are.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    means = Means(frame for said, heard in texts for frame in zip(said, heard, strict=True))
    unseen = Frames([said for said, _ in texts[:_NUM_CHECK_TEXTS]], means, units, device)
    frames = Frames([said for said, _ in texts[_NUM_CHECK_TEXTS:]], means, units, device)
    torch.manual_seed(0)
    decoder = Decoder(np.stack([means.of_edge(edge) for edge in units.known])).to(device)
    optimizer = torch.optim.AdamW(
        decoder.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.01
    )
    done = 0
    if (folder / STATE).exists():
        state = torch.load(folder / STATE, map_location=device, weights_only=True)
        decoder.load_state_dict(state["decoder"])
        optimizer.load_state_dict(state["optimizer"])
        done = state["steps"]
    loudest, saved_at, average = float(frames.targets.max()), time.monotonic(), float("nan")
    progress = tqdm(range(done, steps), initial=done, total=steps, mininterval=5)
    for step in progress:
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * min((step + 1) / WARM_UP_STEPS, 1 - step / steps)
        loss = frames.loss(decoder, frames.draw(FRAMES_PER_STEP))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(decoder.parameters(), 1.0, error_if_nonfinite=True)
        optimizer.step()
        average = loss.item() if average != average else 0.97 * average + 0.03 * loss.item()
        finished = step + 1
        if finished % CHECK_EVERY == 0 or finished == steps:
            with torch.inference_mode():
                check = unseen.loss(decoder, torch.arange(len(unseen.codes))).item()
            figures = {"step": finished, "loss": average, "check_loss": check}
            with (folder / LOG).open("a", encoding="utf-8") as log:
                log.write(json.dumps(figures) + "\n")
            progress.write(json.dumps(figures))
        if time.monotonic() - saved_at > SAVE_EVERY_S or finished == steps:
            state = {
                "decoder": decoder.state_dict(),
                "loudest": loudest,
                "optimizer": optimizer.state_dict(),
                "steps": finished,
            }
            save(folder / STATE, state)
            saved_at = time.monotonic()


def main() -> None:
    """Fit the decoder, on the GPU if there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    fit(list(recordings()), Units.load(), arguments.steps, NANO_DIR)


if __name__ == "__main__":
    main()

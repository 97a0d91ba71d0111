"""Step 4: train the reader.

    python -m tools.nano.train --steps 3600

Ended at any moment, it goes on from the last state it saved. The learning rate falls over the last
third of the steps; more steps than before lift it again.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from tools.nano.dataset import Dataset, training_parts
from tools.nano.reader import NUM_OUTPUTS, START_INPUT, Reader, windows_of
from tools.nano.settings import NANO_DIR
from tools.nano.state import save
from tools.nano.units import NUM_MORE_FRAMES, Units

LEARNING_RATE = 3e-3
WARM_UP_STEPS = 30
DECAY_SHARE = 0.35
SAVE_EVERY_S = 60.0
CHECK_EVERY = 200
_WRONG_BEFORE = 0.15
"""Share of frames whose code before is another one: in speech, too, one may go wrong."""
_LEVEL_LOSS, _LEVEL_FRAMES = 1e-3, 128
"""Keeps the logits' normaliser near 0, so that a repetition penalty changes nothing."""

STATE, OPTIMIZERS = NANO_DIR / "reader.pt", NANO_DIR / "optimizers.pt"
LOG = NANO_DIR / "training.jsonl"


class Frames:
    """A data set as independent frames, sampled at random."""

    def __init__(self, data: Dataset, device: str) -> None:
        ends = np.cumsum(data.lengths)
        windows, before, code = [], [], []
        for index, (end, length) in enumerate(zip(ends, data.lengths, strict=True)):
            symbols = torch.from_numpy(data.symbols[end - length : end].astype(np.int64))
            more = NUM_MORE_FRAMES * index
            codes = data.codes[end - length + more : end + more + NUM_MORE_FRAMES].astype(np.int64)
            windows.append(windows_of(symbols).to(torch.uint8))
            before.append(np.concatenate(([START_INPUT], codes)))
            code.append(np.concatenate((codes, [NUM_OUTPUTS - 1])))
        self.windows = torch.cat(windows).to(device)
        self.before = torch.from_numpy(np.concatenate(before)).to(device)
        self.code = torch.from_numpy(np.concatenate(code)).to(device)
        rows = data.lengths + NUM_MORE_FRAMES + 1
        self.starts = torch.from_numpy(np.cumsum(rows) - rows).to(device)

    def __len__(self) -> int:
        return len(self.code)

    def draw(self, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return the windows, codes before and codes of random frames."""
        rows = torch.randint(len(self), (count,), device=self.code.device)
        before = self.before[rows]
        wrong = torch.rand(count, device=before.device) < _WRONG_BEFORE
        before = torch.where(wrong, torch.randint_like(before, START_INPUT), before)
        return self.windows[rows].long(), before, self.code[rows]


def learning_rate(step: int, steps: int) -> float:
    """Return the learning rate of a step: warm-up, constant, decay to zero."""
    left = (steps - step) / max(DECAY_SHARE * steps, 1)
    return LEARNING_RATE * max(min((step + 1) / WARM_UP_STEPS, left, 1.0), 0.0)


def autocast(device: str) -> Any:
    """Compute products in bfloat16, which a GPU and newer CPUs do many times as fast."""
    return torch.autocast(torch.device(device).type, dtype=torch.bfloat16)


def check(reader: Reader, frames: Frames, device: str) -> dict[str, float]:
    """Evaluate the reader on held-out texts."""
    reader.eval()
    with torch.inference_mode(), autocast(device):
        logits = reader(frames.windows.long(), frames.before)
        loss = functional.cross_entropy(logits, frames.code).item()
        told = (logits.argmax(-1) == frames.code).float().mean().item()
        alone = _read_alone(reader, frames)
    reader.train()
    return {"check_loss": loss, "told_before": told, "alone": alone}


def _read_alone(reader: Reader, frames: Frames) -> float:
    """Return the accuracy with the reader's own previous codes (free running)."""
    lengths = torch.diff(frames.starts, append=frames.starts.new_tensor([len(frames)]))
    before = torch.full_like(frames.starts, START_INPUT)
    right = torch.zeros((), device=before.device)
    for step in range(int(lengths.max())):
        rows = (frames.starts + step).clamp(max=len(frames) - 1)
        code = reader(frames.windows[rows].long(), before)[:, :-1].argmax(-1)
        speaking = step < lengths - 1
        right += ((code == frames.code[rows]) & speaking).sum()
        before = code
    return float(right / (lengths - 1).sum())


def train(steps: int, frames_per_step: int, device: str) -> None:
    """Train until `steps` steps have been made, from the last state on."""
    parts = training_parts()
    frames = _frames(parts, device)
    unseen = Frames(Dataset.load(NANO_DIR / "check.npz"), device)
    torch.manual_seed(int(time.time()))
    reader = Reader(torch.tensor(Units.load().sides())).to(device)
    optimizers = _optimizers(reader)
    done = _restore(reader, optimizers, device)
    saved_at, average = time.monotonic(), float("nan")
    progress = tqdm(range(done, steps), initial=done, total=steps, mininterval=5)
    for step in progress:
        for group in (group for optimizer in optimizers for group in optimizer.param_groups):
            group["lr"] = learning_rate(step, steps)
        loss = _step(reader, optimizers, frames.draw(frames_per_step), device)
        average = loss if average != average else 0.97 * average + 0.03 * loss
        finished = step + 1
        if finished % CHECK_EVERY == 0 or finished == steps:
            figures = {"step": finished, "loss": average, **check(reader, unseen, device)}
            with LOG.open("a", encoding="utf-8") as log:
                log.write(json.dumps(figures) + "\n")
            progress.write(json.dumps(figures))
            if training_parts() != parts:
                parts = training_parts()
                frames = _frames(parts, device)
        if time.monotonic() - saved_at > SAVE_EVERY_S or finished == steps:
            save(OPTIMIZERS, [optimizer.state_dict() for optimizer in optimizers])
            save(STATE, {"reader": reader.state_dict(), "steps": finished})
            saved_at = time.monotonic()
        progress.set_postfix(loss=f"{average:.3f}", refresh=False)


def _frames(parts: list[Path], device: str) -> Frames:
    """Load the training texts that exist."""
    return Frames(Dataset.join([Dataset.load(part) for part in parts]), device)


def _optimizers(reader: Reader) -> list[torch.optim.Optimizer]:
    """Return Muon for the matrices between features, AdamW for tables and norms."""
    inner = [*reader.mlps.parameters(), *reader.window.parameters()]
    matrices = [weight for weight in inner if weight.dim() == 2]
    chosen = {id(weight) for weight in matrices}
    others = [weight for weight in reader.parameters() if id(weight) not in chosen]
    return [
        torch.optim.Muon(matrices, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, betas=(0.9, 0.98), weight_decay=0.01),
    ]


def _step(
    reader: Reader,
    optimizers: list[torch.optim.Optimizer],
    batch: tuple[Tensor, Tensor, Tensor],
    device: str,
) -> float:
    windows, before, code = batch
    with autocast(device):
        logits = reader(windows, before)
    level = logits[:_LEVEL_FRAMES].logsumexp(-1)
    loss = functional.cross_entropy(logits, code) + _LEVEL_LOSS * level.square().mean()
    reader.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(reader.parameters(), 1.0, error_if_nonfinite=True)
    for optimizer in optimizers:
        optimizer.step()
    return float(loss.detach())


def _restore(reader: Reader, optimizers: list[torch.optim.Optimizer], device: str) -> int:
    """Restore the last state; return its steps. The optimizers' state may be missing."""
    if not STATE.exists():
        return 0
    state = torch.load(STATE, map_location=device, weights_only=True)
    reader.load_state_dict(state["reader"])
    if OPTIMIZERS.exists():
        saved = torch.load(OPTIMIZERS, map_location=device, weights_only=True)
        for optimizer, its in zip(optimizers, saved, strict=True):
            optimizer.load_state_dict(its)
    return int(state["steps"])


def main() -> None:
    """Train, on the GPU if there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=3600)
    parser.add_argument("--frames", type=int, default=2048, help="a step; 32768 on a GPU")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    train(arguments.steps, arguments.frames, device)


if __name__ == "__main__":
    main()

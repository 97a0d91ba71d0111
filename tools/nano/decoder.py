"""The part of the codec's decoder that is trained: from codes to amplitudes.

It is the decoder's codebook, first convolution and transformer with its attention left out
(`codec.py` writes them there): a code has a row, three rows make a frame (the code before, its own,
the one after), and two gated MLPs bend what is otherwise a sum.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tools.nano.features import NUM_NODES, SPECTRA_PER_FRAME
from tools.nano.settings import Array

ROW = 112
HIDDEN = 240
INTERMEDIATE = 640
NUM_LAYERS = 2
NUM_AROUND = 3
"""A frame is made of the rows of the codes before, at and after it."""

_GATE = 0.5
"""What the gates' and values' inputs are multiplied by at first."""


class Mlp(nn.Module):
    """A layer of the transformer: the gated MLP, on rows that are not normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.up = (nn.Linear(HIDDEN, INTERMEDIATE) for _ in range(2))
        self.down = nn.Linear(INTERMEDIATE, HIDDEN, bias=False)
        for linear in (self.gate, self.up):
            with torch.no_grad():
                linear.weight.mul_(_GATE)
        nn.init.normal_(self.down.weight, std=0.02 / INTERMEDIATE**0.5)

    def forward(self, rows: Tensor) -> Tensor:
        """Return `rows` with what the MLP adds."""
        changed: Tensor = self.down(functional.silu(self.gate(rows)) * self.up(rows))
        return rows + changed


class Decoder(nn.Module):
    """From codes to what is heard.

    Args:
        sounds: `[codes, 5, nodes]`, the mean of each code: it begins as their table, each frame's
            beginning the mean of that and of the end of the frame before.
    """

    levels: Tensor

    def __init__(self, sounds: Array) -> None:
        super().__init__()
        table = torch.from_numpy(sounds).float()
        flat = table.flatten(1)
        weights = 1 / (flat.std(0) + 1e-3)
        left, sizes, right = torch.linalg.svd(flat * weights, full_matrices=False)
        scale = len(flat) ** 0.5
        self.rows = nn.Parameter(left[:, :ROW] * scale)
        shapes = sizes[:ROW, None] * right[:ROW] / weights / scale
        levels = table.std(0)[:SPECTRA_PER_FRAME].mean(0) + 1e-3
        self.register_buffer("levels", levels)
        shapes = shapes.unflatten(1, (-1, NUM_NODES)) / levels
        joined = slice(ROW, ROW + NUM_NODES)
        inward = torch.zeros(NUM_AROUND, ROW, HIDDEN)
        inward[1, :, :ROW] = torch.eye(ROW)
        inward[0, :, joined], inward[1, :, joined] = shapes[:, -1] / 2, shapes[:, 0] / 2
        free = inward[:, :, joined.stop :]
        free.copy_(torch.randn_like(free) / ROW**0.5)
        outward = torch.zeros(HIDDEN, SPECTRA_PER_FRAME, NUM_NODES)
        outward[joined, 0] = torch.eye(NUM_NODES)
        outward[:ROW, 1:] = shapes[:, 1:-1]
        self.inward, self.outward = nn.Parameter(inward), nn.Parameter(outward)
        self.mlps = nn.ModuleList([Mlp() for _ in range(NUM_LAYERS)])

    def forward(self, codes: Tensor) -> Tensor:
        """Return the amplitudes of frames: `[..., 4, nodes]`, slightly negative ones included.

        Args:
            codes: `[..., 3]`, the codes before, at and after each frame; -1 for none.
        """
        rows = functional.embedding(codes.clamp(min=0), self.rows)
        rows = rows * (codes >= 0).unsqueeze(-1)
        hidden = torch.einsum("...kr,krh->...h", rows, self.inward)
        for mlp in self.mlps:
            hidden = mlp(hidden)
        return torch.einsum("...h,hkn->...kn", hidden, self.outward) * self.levels


def around(codes: Array) -> Array:
    """Return `[n, 3]`: for each of n codes of a text, what the decoder has heard when it comes.

    A frame is said when the next one's code is there, so that the first row is for silence.
    """
    line = np.concatenate(([-1, -1], codes))
    return np.lib.stride_tricks.sliding_window_view(line, NUM_AROUND).copy()

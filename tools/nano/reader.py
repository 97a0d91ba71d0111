"""The part of the language model that is trained: from the characters around a frame to its code.

It is the talker with its attention left out: what attention brings, 20 characters, is an input. So
all frames of all texts are independent rows, and training is a few big products of matrices.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from tools.nano import layout
from tools.nano.symbols import END, NOTHING, WIDTH, codewords
from tools.nano.units import NUM_MORE_FRAMES

NUM_OUTPUTS = layout.NUM_CODES + 1  # the last is the end of speech
START_INPUT = layout.NUM_CODES  # in place of a code before the first frame


class Mlp(nn.Module):
    """A layer's second half: norm and gated MLP, over the free dimensions and the constant."""

    def __init__(self) -> None:
        super().__init__()
        width = layout.NUM_FREE + 1
        self.norm = nn.Parameter(torch.ones(width))
        self.gate = nn.Linear(width, layout.INTERMEDIATE, bias=False)
        self.up = nn.Linear(width, layout.INTERMEDIATE, bias=False)
        self.down = nn.Linear(layout.INTERMEDIATE, layout.NUM_FREE, bias=False)
        nn.init.normal_(self.down.weight, std=0.3 / math.sqrt(layout.INTERMEDIATE))

    def forward(self, free: Tensor) -> Tensor:
        """Return `free` with what the MLP adds."""
        normed = norm(free) * self.norm
        changed: Tensor = self.down(functional.silu(self.gate(normed)) * self.up(normed))
        return free + changed.float()


def norm(free: Tensor) -> Tensor:
    """Normalise as RMSNorm does over all dimensions; return the free ones and the constant."""
    energy = free.square().sum(-1, keepdim=True)
    energy = energy + layout.CONSTANT_VALUE**2 + layout.RESERVED_ENERGY
    scale = torch.rsqrt(energy / layout.HIDDEN + layout.NORM_EPS)
    constant = free.new_full((*free.shape[:-1], 1), layout.CONSTANT_VALUE)
    return torch.cat((free, constant), -1) * scale


class CodeTable(nn.Module):
    """A row for each code: its own, and those of the two states that it joins.

    What is learnt of a state in one code is known of it in all of them.
    """

    sides: Tensor

    def __init__(self, sides: Tensor, extra: int, width: int, std: float) -> None:
        super().__init__()
        self.register_buffer("sides", sides)
        num_states = int(sides.max()) + 1
        self.first, self.second = (
            nn.Parameter(std * torch.randn(num_states, width)) for _ in range(2)
        )
        self.own = nn.Parameter(0.1 * std * torch.randn(layout.NUM_CODES + extra, width))

    def rows(self) -> Tensor:
        """Return the table `[codes + extra, width]`."""
        joined = self.first[self.sides[0]] + self.second[self.sides[1]]
        return self.own + functional.pad(joined, (0, 0, 0, len(self.own) - len(joined)))


class Reader(nn.Module):
    """From characters and the code before to the logits of a frame's code 0.

    Args:
        sides: `[2, known codes]`, the numbers of the states that each code joins.
    """

    codewords: Tensor

    def __init__(self, sides: Tensor) -> None:
        super().__init__()
        self.register_buffer("codewords", torch.from_numpy(codewords()))
        self.codes = CodeTable(sides, 1, layout.NUM_FREE, 0.3)
        self.window = nn.Linear(len(layout.WINDOW) * WIDTH, layout.NUM_FREE, bias=False)
        self.mlps = nn.ModuleList([Mlp() for _ in layout.MLP_LAYERS])
        self.norm = nn.Parameter(torch.ones(layout.NUM_FREE + 1))
        self.head = CodeTable(sides, 1, layout.NUM_FREE + 1, 0.5 / math.sqrt(layout.NUM_FREE))
        nn.init.normal_(self.window.weight, std=0.3 / math.sqrt(len(layout.WINDOW)))

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights by name as `circuit.install` takes them: tables as they are used."""
        kept = {name: value for name, value in self.state_dict().items() if "." in name}
        tables = {"codes": self.codes.rows(), "head": self.head.rows(), "norm": self.norm}
        return {name: value.detach().float() for name, value in (kept | tables).items()}

    def forward(self, windows: Tensor, before: Tensor) -> Tensor:
        """Return logits `[..., 2049]` of frames.

        Args:
            windows: `[..., 20]`, the symbols around each frame (`windows_of`).
            before: `[...]`, the code of the frame before, `START_INPUT` for the first.
        """
        seen = functional.embedding(windows, self.codewords).flatten(-2)
        free = self.codes.rows()[before] + self.window(seen).float()
        for mlp in self.mlps:
            free = mlp(free)
        return functional.linear(norm(free) * self.norm, self.head.rows()).float()


def windows_of(symbols: Tensor) -> Tensor:
    """Return the characters around every frame of a text, and around its end.

    Args:
        symbols: `[N]` of one text.

    Returns `[N + 3, 20]`: for each frame, two more than there are characters, and for the end of
    speech.
    """
    before, after = -layout.WINDOW[0], layout.WINDOW[-1]
    line = torch.cat(
        (
            torch.full((before,), NOTHING),
            symbols,
            torch.tensor([END]),
            torch.full((after + NUM_MORE_FRAMES,), NOTHING),
        )
    )
    return line.unfold(0, len(layout.WINDOW), 1)

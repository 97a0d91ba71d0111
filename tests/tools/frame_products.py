"""As a program, print how the products of a frame sum, in a tile and in that for more rows.

A line for each kernel: the instructions, and the layouts that say in which order threads add. Rows
beside each other, and columns, do not count: each has sums of its own.
"""

from __future__ import annotations

import re

import torch
import triton

from bench.launches import Launches
from qwen_tts_api.model.kernels.products import norm_product, product_add
from qwen_tts_api.model.kernels.tiles import FRAME_TILES
from tools.check_kernels import _target, sources_of

ARCHS = (80, 90, 120)
WIDTH = 2048

REDUCTION = re.compile(
    r'"tt\.reduce"\([^)]*\) <\{axis = (\d) : i32\}>.*?\) : \(tensor<[^,>]*, (#\w+)>\)', re.DOTALL
)


def sums_of(ttgir: str, ptx: str) -> str:
    """Return in which order a compiled kernel adds."""
    layouts = dict(re.findall(r"^(#\w+) = (.*)$", ttgir, re.MULTILINE))
    orders = []
    for axis, name in REDUCTION.findall(ttgir):
        shares = re.findall(r"(?:PerThread|PerWarp|PerCTA) = \[([\d, ]+)\]", layouts[name])
        orders.append([int(share.split(", ")[int(axis)]) for share in shares])
    products = sorted(set(re.findall(r"(?:wgmma|mma|tcgen05)[\w.]*\.sync[\w.]*", ptx)))
    exchanged = sorted(set(re.findall(r"shfl\.sync\.bfly\.b32\s+\S+ \S+ (\d+)", ptx)))
    rounded = sorted(set(re.findall(r"\b(?:rsqrt|div|ex2)\.[\w.]*", ptx)))
    return f"{products} {layouts['#mma']} {orders} {exchanged} {rounded}"


def launch(num_rows: int) -> None:
    """Launch each kind of product for so many rows."""
    square = torch.empty(WIDTH, WIDTH, dtype=torch.bfloat16, device="meta").t()
    x, out, norm = torch.empty_like(square), torch.empty_like(square), square[0]
    product_add(x, square, out, num_rows, FRAME_TILES.narrow)
    for gated in (False, True):
        norm_product(x, norm, 1e-6, square, out, num_rows, FRAME_TILES.wide, gated=gated)


if __name__ == "__main__":
    with Launches().recording() as launches:
        for num_rows in (16, 64):
            launch(num_rows)
    calls = [each.call for each in launches.all if each.call is not None]
    for arch in ARCHS:
        for source in sources_of(calls, arch):
            compiled = triton.compile(
                source.source, target=_target(arch), options=source.options.__dict__
            )
            print(arch, source.name, sums_of(compiled.asm["ttgir"], compiled.asm["ptx"]))

"""Find the weight files of a checkpoint, and validate their headers. Imports no PyTorch.

A safetensors file begins with the length of its header (8 bytes) and the header, which has every
tensor's shape and offsets (https://huggingface.co/docs/safetensors): a truncated file or a Git LFS
pointer is found by reading a few kilobytes.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
WEIGHTS = ("model.safetensors", "speech_tokenizer/model.safetensors")
INDEX = ".index.json"

MAX_HEADER_BYTES = 100_000_000
"""The format's own limit."""


class DamagedFile(Exception):
    """A file is missing or damaged; the message says which and how."""


def num_parameters(folder: Path) -> int:
    """Return the number of parameters of a checkpoint, its speech tokenizer included.

    Raises:
        DamagedFile: A file is missing or damaged.
    """
    return sum(
        math.prod(entry["shape"])
        for name in WEIGHTS
        for path in weight_files(folder, name)
        for entry in read_header(path, folder).values()
    )


def weight_files(folder: Path, name: str) -> Iterator[Path]:
    """Yield the weight file of that name or, if there is none, the shards of its index.

    Raises:
        DamagedFile: There is neither, or a shard is missing.
    """
    path = folder / name
    index = path.with_name(path.name + INDEX)
    if path.is_file():
        yield path
        return
    if not index.is_file():
        pickles = [each.name for pattern in PICKLES for each in path.parent.glob(pattern)]
        advice = f" {pickles[0]} is a pickle, which is never loaded." if pickles else ""
        raise DamagedFile(f"{name} is missing.{advice}")
    try:
        names = sorted({str(shard) for shard in _read(index)["weight_map"].values()})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedFile(f"{name}{INDEX} is not an index of weights ({error!r}).") from error
    for shard in names:
        if Path(shard).is_absolute() or ".." in Path(shard).parts:
            raise DamagedFile(f"{name}{INDEX} names {shard}, which is outside of the checkpoint.")
        if not (path.parent / shard).is_file():
            raise DamagedFile(f"{shard}, which {name}{INDEX} names, is missing.")
        yield path.parent / shard


def read_header(path: Path, folder: Path) -> dict[str, Any]:
    """Read the header of a safetensors file: `dtype`, `shape`, `data_offsets` by tensor name.

    Raises:
        DamagedFile: It is not a safetensors file, is truncated, or its header is inconsistent.
    """
    name = path.relative_to(folder)
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
            if not 2 <= length <= min(MAX_HEADER_BYTES, size):
                raise DamagedFile(
                    f"{name} is not a safetensors file, or only its first {size} bytes."
                )
            raw = file.read(length)
    except OSError as error:
        raise DamagedFile(f"{name} cannot be read: {error.strerror}.") from error
    try:
        header: dict[str, Any] = json.loads(raw)
        header.pop("__metadata__", None)
        expected = 8 + length + max(map(_end, header.values()))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedFile(f"{name} is not a safetensors file ({error!r}).") from error
    if size != expected:
        raise DamagedFile(f"{name} has {size} bytes of {expected}.")
    try:
        with safe_open(path, framework="numpy"):  # the library's own validation
            return header
    except SafetensorError as error:
        raise DamagedFile(f"{name} is not a safetensors file ({error}).") from error


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise DamagedFile(f"{path.name} cannot be read: {error.strerror}.") from error


def _end(entry: dict[str, Any]) -> int:
    """Return the end offset of a tensor's data.

    Raises:
        ValueError: Its shape, dtype or offset is invalid.
    """
    shape, (_, end) = entry["shape"], entry["data_offsets"]
    if not all(type(size) is int and size >= 0 for size in [*shape, end]):
        raise ValueError(f"a tensor of {shape!r} that ends at {end!r}")
    if not isinstance(entry["dtype"], str):
        raise ValueError(f"a tensor in {entry['dtype']!r}")
    return int(end)


def unfinished_downloads(folder: Path) -> list[str]:
    """Return a message for each interrupted download into a folder or the hub's cache.

    huggingface_hub names a partial file `*.incomplete`: in the folder's `.cache/huggingface`, or in
    `blobs` beside the `snapshots` of its cache.
    """
    places = [folder / ".cache" / "huggingface"]
    if folder.parent.name == "snapshots":
        places.append(folder.parent.parent / "blobs")
    parts = [part for place in places for part in place.rglob("*.incomplete")]
    return [f"A download was broken off ({part})." for part in parts]

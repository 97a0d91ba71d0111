"""Whether a checkpoint's files are all there and whole, without loading them. Imports no PyTorch.

A safetensors file begins with the length of its header (8 bytes) and the header, which tells every
tensor's shape and place (https://huggingface.co/docs/safetensors): so a file that was cut short, or
that is a Git LFS pointer, is found by reading a few kilobytes of it.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# What qwen-tts reads, besides the weights.
DOCUMENTS = (
    "config.json",
    "preprocessor_config.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "speech_tokenizer/config.json",
    "speech_tokenizer/preprocessor_config.json",
)
WEIGHTS = ("model.safetensors", "speech_tokenizer/model.safetensors")
INDEX = ".index.json"

MAX_HEADER_BYTES = 100_000_000
"""The format's own limit."""


class DamagedFile(Exception):
    """A file is not what its name says; the message says how."""


def find_problems(folder: Path) -> list[str]:
    """Return a sentence for each file of a checkpoint that is missing or not whole."""
    problems = [f"{name} is missing." for name in DOCUMENTS if not (folder / name).is_file()]
    problems += [text for name in DOCUMENTS if (text := _document_problem(folder / name, name))]
    for name in WEIGHTS:
        try:
            for path in weight_files(folder, name):
                read_header(path, folder)
        except DamagedFile as damage:
            problems.append(str(damage))
    return problems + _unfinished_downloads(folder)


def num_parameters(folder: Path) -> int:
    """Return how many numbers the weights of a checkpoint are, its speech tokenizer's included.

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
    """Yield the file of that name, or those that its index names; as transformers, in this order.

    Raises:
        DamagedFile: There is neither, or one that the index names is missing.
    """
    path = folder / name
    index = path.with_name(path.name + INDEX)
    if path.is_file():
        yield path
        return
    if not index.is_file():
        raise DamagedFile(f"{name} is missing.")
    try:
        names = sorted(set(json.loads(index.read_bytes())["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedFile(f"{name}{INDEX} is not an index of weights ({error!r}).") from error
    for shard in names:
        if not (path.parent / shard).is_file():
            raise DamagedFile(f"{shard}, which {name}{INDEX} names, is missing.")
        yield path.parent / shard


def read_header(path: Path, folder: Path) -> dict[str, Any]:
    """Return the tensors of a safetensors file by name: `dtype`, `shape`, `data_offsets`.

    Raises:
        DamagedFile: It is none, or is cut short.
    """
    name = path.relative_to(folder)
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= min(MAX_HEADER_BYTES, size):
            raise DamagedFile(f"{name} is not a safetensors file, or only its first {size} bytes.")
        raw = file.read(length)
    try:
        header: dict[str, Any] = json.loads(raw)
        header.pop("__metadata__", None)
        expected = 8 + length + max(entry["data_offsets"][1] for entry in header.values())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedFile(f"{name} is not a safetensors file ({error!r}).") from error
    if size != expected:
        raise DamagedFile(f"{name} has {size} bytes of {expected}.")
    return header


def _document_problem(path: Path, name: str) -> str:
    if not path.is_file() or path.suffix != ".json":
        return ""
    try:
        json.loads(path.read_bytes())
    except ValueError as error:
        return f"{name} is not JSON: {error}."
    return ""


def _unfinished_downloads(folder: Path) -> list[str]:
    """Return a sentence for each download that was broken off, in a folder or in the hub's cache.

    huggingface_hub keeps what it has of a file under a name that ends in `.incomplete`: in a
    folder's `.cache/huggingface`, or in the `blobs` beside a cached checkpoint's `snapshots`.
    """
    places = [folder / ".cache" / "huggingface"]
    if folder.parent.name == "snapshots":
        places.append(folder.parent.parent / "blobs")
    parts = [part for place in places for part in place.rglob("*.incomplete")]
    return [f"A download was broken off ({part})." for part in parts]

"""The folder of the tools' files, and array types."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]

NANO_DIR = Path(os.environ.get("NANO_DIR", "~/.cache/qwen-tts-nano")).expanduser()
"""Data, states and figures; every step goes on from what is there."""


def folder(name: str) -> Path:
    """Return a folder in `NANO_DIR` that exists."""
    path = NANO_DIR / name
    path.mkdir(parents=True, exist_ok=True)
    return path

"""Training state on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch


def save(path: Path, content: Any) -> None:
    """Write a training state atomically."""
    scratch = path.with_suffix(".part")
    torch.save(content, scratch)
    scratch.rename(path)

"""Paths in the home folder of the user, where there may be none."""

from __future__ import annotations

from pathlib import Path


def expand(path: str) -> Path:
    """Return a path in which `~` is the home folder.

    Raises:
        ValueError: Nobody knows the home folder: HOME is not set, and the user has no account.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ValueError(str(error)) from error

"""Nano checkpoints: the published format at 1/200 of the size, built on the spot from a seed.

They make no words, but they speak as long as a text of that length takes, at an audible level, with
every speaker, language, mode and file of a published checkpoint. So the whole service can be tried
and tested where there are no published weights, no network and no GPU.

    folder = ensure_nano("nano", Path("/var/cache/qwen-tts-api"))

Importing this package is cheap; torch and `qwen_tts` are imported when there is something to build.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from pathlib import Path

__all__ = ["NANO_KINDS", "ensure_nano"]

# Name of a checkpoint -> its `tts_model_type`.
NANO_KINDS: dict[str, str] = {
    "nano": "custom_voice",
    "nano-design": "voice_design",
    "nano-base": "base",
}


def ensure_nano(name: str, cache_dir: Path) -> Path:
    """Return the folder of the checkpoint called `name`, building it if it is not there yet.

    It lies in `cache_dir` under a name that contains a fingerprint of the recipe, so a changed
    recipe is built anew. Several processes may call this at once.

    Raises:
        KeyError: There is no nano checkpoint of that name.
        OSError: The folder cannot be written; the message says what to set.
    """
    tts_model_type = NANO_KINDS[name]
    folder = cache_dir / f"{name}-{_fingerprint()}"
    if folder.is_dir():
        return folder
    try:
        _build(folder, tts_model_type)
    except OSError as error:
        raise OSError(
            f"The nano checkpoint could not be written to {cache_dir} ({error}); set"
            " QWEN_CACHE_DIR to a folder that can be written."
        ) from error
    return folder


def _fingerprint() -> str:
    """Return 12 hexadecimal digits that change with any source file of this package."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _build(folder: Path, tts_model_type: str) -> None:
    """Build beside `folder`, then rename: under its own name it is never seen half-built."""
    from qwen_tts_api.model.nano.checkpoint import write_checkpoint

    scratch = folder.with_name(f".{folder.name}.{os.getpid()}.{secrets.token_hex(4)}")
    scratch.mkdir(parents=True)
    try:
        write_checkpoint(scratch, tts_model_type)
        _flush_to_disk(scratch)
        try:
            scratch.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
            # Another process was faster, and built the same bytes.
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _flush_to_disk(folder: Path) -> None:
    """Wait until every file is on disk, so that not even a power cut can leave a hollow one."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())

"""Nano checkpoints: the published format at 1/200 of the size, built on the spot from a seed.

They make no words, but they speak for as long as a text of that length takes, at an audible level,
with every speaker, language, mode and file of a published checkpoint. So the whole service can be
tried and tested where there are no published weights, no network and no GPU.

One more, `nano-en`, is not built but comes along in a folder of this package: it says its text, in
English. `tools/nano` of the repository made it.

    folder = ensure_nano("nano", Path("/var/cache/qwen-tts-api"))

Importing this package is cheap; torch and `qwen_tts` are imported when there is something to build.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from qwen_tts_api.files import write_synced

__all__ = ["NANO_KINDS", "NANO_NAMES", "ensure_nano"]

# Name of a checkpoint -> its `tts_model_type`.
NANO_KINDS: dict[str, str] = {
    "nano": "custom_voice",
    "nano-design": "voice_design",
    "nano-base": "base",
}

SPEAKING = "nano-en"
SPEAKING_FOLDER = Path(__file__).parent / "english"
NANO_NAMES = (SPEAKING, *NANO_KINDS)


def ensure_nano(name: str, cache_dir: Path) -> Path:
    """Return the folder of the checkpoint called `name`, building it if it is not there yet.

    It lies in `cache_dir` under a name that contains a fingerprint of the recipe, so a changed
    recipe is built anew. Several processes may call this at once.

    Raises:
        ValueError: There is no nano checkpoint of that name.
        OSError: The folder cannot be written; the message says what to set.
    """
    if name == SPEAKING:
        return SPEAKING_FOLDER
    if name not in NANO_KINDS:
        raise ValueError(f"There is no nano checkpoint {name!r}, only {', '.join(NANO_NAMES)}.")
    folder = cache_dir / f"{name}-{_fingerprint()}"
    if folder.is_dir():
        return folder

    from qwen_tts_api.checkpoints.nano.checkpoint import checkpoint_files

    files = checkpoint_files(NANO_KINDS[name])
    try:
        _write(folder, files)
    except OSError as error:
        raise OSError(
            f"The nano checkpoint could not be written to {cache_dir} ({error});"
            " set QWEN_CACHE_DIR to a folder that can be written."
        ) from error
    return folder


def _fingerprint() -> str:
    """Return 12 hexadecimal digits that change with any source file of this package."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write beside `folder`, then rename: under its own name it is never seen half-built."""
    scratch = folder.with_name(f".{folder.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        for path, content in files.items():
            (scratch / path).parent.mkdir(parents=True, exist_ok=True)
            write_synced(scratch / path, content)
        try:
            scratch.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
            # Another process was faster, and built the same bytes.
    finally:
        shutil.rmtree(scratch, ignore_errors=True)

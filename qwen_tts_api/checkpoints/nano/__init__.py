"""Build nano checkpoints: the published format at 1/200 of the size, with random weights.

Their audio has no words, but the duration and level of speech, and they have every speaker,
language, mode and file of a published checkpoint: the service can be tried and tested without
published weights, network and GPU.

`nano-en` is not built, but is part of this package: it speaks its text, in English. It was trained
by `tools/nano` of the repository.

    folder = ensure_nano("nano", Path("/var/cache/qwen-tts-api"))

torch and `qwen_tts` are imported only when a checkpoint is built.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
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
    """Return the folder of a nano checkpoint; build it if it does not exist.

    Its name in `cache_dir` contains a hash of this package's sources, so that a change of them
    builds it anew. Safe for concurrent processes.

    Raises:
        ValueError: There is no nano checkpoint of that name.
        OSError: The folder cannot be written; the message names the setting.
    """
    if name == SPEAKING:
        return SPEAKING_FOLDER
    if name not in NANO_KINDS:
        raise ValueError(f"There is no nano checkpoint {name!r}, only {', '.join(NANO_NAMES)}.")
    folder = cache_dir / f"{name}-{_fingerprint()}"
    if folder.is_dir():
        return folder

    try:
        _build(name, folder)
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


def _build(name: str, folder: Path) -> None:
    """Write to a temporary folder, then rename it to `folder`, atomically."""
    scratch = folder.with_name(f".{folder.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        scratch.mkdir(parents=True)  # before seconds are spent on what could not be written
        from qwen_tts_api.checkpoints.nano.checkpoint import checkpoint_files

        for path, content in checkpoint_files(NANO_KINDS[name]).items():
            (scratch / path).parent.mkdir(parents=True, exist_ok=True)
            write_synced(scratch / path, content)
        try:
            scratch.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
            # Another process has built the same files meanwhile.
    finally:
        shutil.rmtree(scratch, ignore_errors=True)

"""A folder for the caches of librosa and numba where HOME is missing or cannot be written.

librosa, which qwen-tts imports, has functions that numba compiles and caches. It tries the folder
of librosa and the user's cache; where both cannot be written, the import itself fails. So it does
where nobody knows the user's home folder.
"""

from __future__ import annotations

import importlib.util
import os
import tempfile
from pathlib import Path

VARIABLE = "NUMBA_CACHE_DIR"


def ensure_numba_cache() -> None:
    """Let both cache in a temporary folder of this user's, if they have no other place."""
    if not os.path.isabs(os.path.expanduser("~")):
        os.environ.setdefault("XDG_CACHE_HOME", str(_private_folder()))
    if not any(map(_can_be_written, _usual_places())):
        os.environ[VARIABLE] = str(_private_folder())


def _usual_places() -> list[Path]:
    """Return where numba tries to write, in its order."""
    places = []
    if os.environ.get(VARIABLE):
        places.append(Path(os.environ[VARIABLE]))
    spec = importlib.util.find_spec("librosa")
    if spec is not None and spec.origin is not None:
        places.append(Path(spec.origin).parent / "core" / "__pycache__")
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if os.path.isabs(home):
        places.append(Path(home) / "numba")
    return places


def _can_be_written(folder: Path) -> bool:
    """Return whether files can be made in a folder, or it can itself: by trying."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _private_folder() -> Path:
    """Return a folder that nobody else can write: numba runs what it finds in its cache."""
    folder = Path(tempfile.gettempdir()) / f"qwen-tts-api-code-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if found.st_uid == os.getuid() and found.st_mode & 0o777 == 0o700 and not folder.is_symlink():
        return folder
    return Path(tempfile.mkdtemp(prefix="qwen-tts-api-code-"))

"""Import `qwen_tts`, even if the audio libraries of its 25 Hz tokenizer are broken or missing.

`import qwen_tts` pulls in both of its speech tokenizers. The 25 Hz one, which no checkpoint served
here uses, imports `torchaudio`, `sox` and `onnxruntime` at module level. `torchaudio` is published
as a build for CUDA, so that its library cannot be loaded beside a CPU build of PyTorch, and the
import of `qwen_tts` fails. The import also prints: a banner about flash-attn on stdout, a warning
and a shell's error about a missing `sox` program on stderr. None of it concerns the 12 Hz models.

librosa, another of its imports, has functions that numba compiles and caches, in librosa's folder
or the user's cache. If neither is writable, or the home folder is unknown, the import fails, unless
NUMBA_CACHE_DIR and XDG_CACHE_HOME name a writable folder.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.machinery
import importlib.util
import logging
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn, TextIO, cast

from qwen_tts_api.files import check_writable

_KALDI = "torchaudio.compliance.kaldi"
_STUBS = ("torchaudio", "torchaudio.compliance", _KALDI)
_FLASH_ATTN_BANNER = "Warning: flash-attn is not installed."
_SOX_WARNING = "SoX could not be found!"
_SOX_PROBE = "sox -h"
_NUMBA_CACHE_DIR = "NUMBA_CACHE_DIR"

_lock = threading.Lock()


def import_qwen_tts() -> ModuleType:
    """Import `qwen_tts`, with a stub for `torchaudio` if the real one cannot be imported.

    The stub is in `sys.modules` during the import only, so that nothing else in the process takes
    it for the real library. Thread-safe; later calls return the same module.

    Raises:
        ImportError: `qwen_tts` or another of its dependencies is missing.
    """
    with _lock:
        if "qwen_tts" in sys.modules:
            return importlib.import_module("qwen_tts")
        ensure_numba_cache()
        with _torchaudio_or_stub(), _without_import_noise():
            return importlib.import_module("qwen_tts")


@contextlib.contextmanager
def _torchaudio_or_stub() -> Iterator[None]:
    """Let `import torchaudio.compliance.kaldi` succeed inside the block."""
    try:
        importlib.import_module(_KALDI)
    except Exception:  # ImportError, OSError (a CUDA library), RuntimeError (a version mismatch)
        pass
    else:
        yield
        return
    before = {name: sys.modules[name] for name in _STUBS if name in sys.modules}
    try:
        _import_transformers_without_torchaudio()
        sys.modules.update(_torchaudio_stubs())
        yield
    finally:
        for name in _STUBS:
            sys.modules.pop(name, None)
        sys.modules.update(before)


def _import_transformers_without_torchaudio() -> None:
    """Import transformers in such a way that it finds no torchaudio.

    It looks for the installed package without importing it, so that a broken one counts as
    available. `None` in `sys.modules` marks a module as not importable.
    """
    sys.modules["torchaudio"] = cast(ModuleType, None)
    importlib.import_module("transformers")


def _torchaudio_stubs() -> dict[str, ModuleType]:
    """Return empty stubs of `torchaudio` and the two submodules that are imported.

    They have a `__spec__`, which `importlib.util.find_spec` requires, but no distribution metadata,
    so that no version is found.
    """
    modules = {name: _Stub(name) for name in _STUBS}
    for name, module in modules.items():
        module.__spec__ = importlib.machinery.ModuleSpec(name, loader=None, is_package=True)
        module.__path__ = []
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(modules[parent], child, module)
    return dict(modules)


class _Stub(ModuleType):
    """A module whose public attributes are functions that raise RuntimeError."""

    def __getattr__(self, name: str) -> Any:
        """Return a function that raises RuntimeError when called.

        Raises:
            AttributeError: The name begins with `__`, which Python's import system looks up.
        """
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        full_name = f"{self.__name__}.{name}"

        def refuse(*args: object, **kwargs: object) -> NoReturn:
            raise RuntimeError(
                f"{full_name} was called, but torchaudio could not be imported here and a stand-in"
                " took its place. Only the 25 Hz speech tokenizer needs it, which is not served."
            )

        return refuse


@contextlib.contextmanager
def _without_import_noise() -> Iterator[None]:
    """Suppress the three messages that importing `qwen_tts` prints, and no others."""
    sox_logger = logging.getLogger("sox")
    sox_logger.addFilter(_is_not_sox_warning)
    popen = os.popen

    def popen_quiet_probe(cmd: str, mode: str = "r", buffering: int = -1) -> Any:
        # The shell prints to stderr that there is no `sox`, which no filter in Python can suppress.
        return popen(f"{cmd} 2>{os.devnull}" if cmd == _SOX_PROBE else cmd, mode, buffering)

    os.popen = popen_quiet_probe
    try:
        with contextlib.redirect_stdout(cast(TextIO, _WithoutBanner(sys.stdout))):
            yield
    finally:
        os.popen = popen
        sox_logger.removeFilter(_is_not_sox_warning)


def _is_not_sox_warning(record: logging.LogRecord) -> bool:
    """Return whether to log a record of the logger `sox`."""
    return not record.getMessage().startswith(_SOX_WARNING)


class _WithoutBanner:
    """A stdout that passes on everything except the flash-attn banner and its line end."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._drops_line_end = False

    def write(self, text: str) -> int:
        """Write `text` unless it is the banner; `print` writes its line end separately."""
        is_line_end_of_banner = self._drops_line_end and text == "\n"
        self._drops_line_end = _FLASH_ATTN_BANNER in text
        if self._drops_line_end or is_line_end_of_banner:
            return len(text)
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        """Be the wrapped stream in everything else."""
        return getattr(self._stream, name)


def ensure_numba_cache() -> None:
    """Set numba's and librosa's cache to a temporary folder if the usual ones are not writable."""
    if not os.path.isabs(os.path.expanduser("~")):
        os.environ.setdefault("XDG_CACHE_HOME", str(_private_folder()))
    if not any(map(_is_writable, _usual_places())):
        os.environ[_NUMBA_CACHE_DIR] = str(_private_folder())


def _usual_places() -> list[Path]:
    """Return the folders that numba tries, in order."""
    places = []
    if os.environ.get(_NUMBA_CACHE_DIR):
        places.append(Path(os.environ[_NUMBA_CACHE_DIR]))
    spec = importlib.util.find_spec("librosa")
    if spec is not None and spec.origin is not None:
        places.append(Path(spec.origin).parent / "core" / "__pycache__")
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if os.path.isabs(home):
        places.append(Path(home) / "numba")
    return places


def _is_writable(folder: Path) -> bool:
    """Return whether a folder is writable, by writing to it; create it if needed."""
    try:
        check_writable(folder)
    except OSError:
        return False
    return True


def _private_folder() -> Path:
    """Return a temporary folder for this user only: numba executes the code in its cache."""
    folder = Path(tempfile.gettempdir()) / f"qwen-tts-api-code-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if found.st_uid == os.getuid() and found.st_mode & 0o777 == 0o700 and not folder.is_symlink():
        return folder
    return Path(tempfile.mkdtemp(prefix="qwen-tts-api-code-"))

"""Importing `qwen_tts` where the audio libraries of its 25 Hz tokenizer are broken or absent.

`import qwen_tts` pulls in both of its speech tokenizers. The 25 Hz one, which no checkpoint served
here uses, imports `torchaudio`, `sox` and `onnxruntime` at module level. `torchaudio` is published
as a build for CUDA, so beside a CPU build of PyTorch its library does not load, and with it all of
`qwen_tts` does not. And the import talks: a banner about flash-attn on stdout, a warning and a
shell's complaint about a missing `sox` program on stderr. None of that concerns the 12 Hz models.
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

_KALDI = "torchaudio.compliance.kaldi"
_STAND_INS = ("torchaudio", "torchaudio.compliance", _KALDI)
_FLASH_ATTN_BANNER = "Warning: flash-attn is not installed."
_SOX_WARNING = "SoX could not be found!"
_SOX_PROBE = "sox -h"
_NUMBA_CACHE_DIR = "NUMBA_CACHE_DIR"

_lock = threading.Lock()


def import_qwen_tts() -> ModuleType:
    """Import `qwen_tts`, standing in for `torchaudio` if the real one cannot be imported.

    The stand-in is visible in `sys.modules` during the import only: afterwards nothing else in the
    process can take it for the real library, and `qwen_tts` keeps its own reference. Calling again
    returns the same module. Safe to call from several threads.

    Raises ImportError if `qwen_tts` itself or another of its dependencies is missing.
    """
    with _lock:
        if "qwen_tts" in sys.modules:
            return importlib.import_module("qwen_tts")
        ensure_numba_cache()
        with _torchaudio_or_stand_in(), _without_import_noise():
            return importlib.import_module("qwen_tts")


@contextlib.contextmanager
def _torchaudio_or_stand_in() -> Iterator[None]:
    """Make `import torchaudio.compliance.kaldi` succeed inside the block."""
    try:
        importlib.import_module(_KALDI)
    except Exception:  # ImportError, OSError (a CUDA library), RuntimeError (a version mismatch)
        pass
    else:
        yield
        return
    before = {name: sys.modules[name] for name in _STAND_INS if name in sys.modules}
    try:
        _import_transformers_without_torchaudio()
        sys.modules.update(_torchaudio_stand_ins())
        yield
    finally:
        for name in _STAND_INS:
            sys.modules.pop(name, None)
        sys.modules.update(before)


def _import_transformers_without_torchaudio() -> None:
    """Let transformers decide, while importing, that there is no torchaudio.

    It looks for the installed package and never tries it, so a broken one counts as available.
    `None` in `sys.modules` is Python's own mark for "not importable", which that search respects.
    """
    sys.modules["torchaudio"] = cast(ModuleType, None)
    importlib.import_module("transformers")


def _torchaudio_stand_ins() -> dict[str, ModuleType]:
    """Build `torchaudio` and the two modules inside it that are imported, without content.

    They have a `__spec__`, because `importlib.util.find_spec` refuses a module without one, but no
    distribution metadata, so that whoever asks for an installed version still finds none.
    """
    modules = {name: _StandIn(name) for name in _STAND_INS}
    for name, module in modules.items():
        module.__spec__ = importlib.machinery.ModuleSpec(name, loader=None, is_package=True)
        module.__path__ = []
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(modules[parent], child, module)
    return dict(modules)


class _StandIn(ModuleType):
    """A module whose every public name is a function that refuses to work."""

    def __getattr__(self, name: str) -> Any:
        """Return a function that raises RuntimeError when called.

        Raises AttributeError for `__dunder__` names: those are how Python probes a module.
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
    """Hold back exactly the three messages `qwen_tts` causes while it is imported."""
    sox_logger = logging.getLogger("sox")
    sox_logger.addFilter(_is_not_sox_warning)
    popen = os.popen

    def popen_quiet_probe(cmd: str, mode: str = "r", buffering: int = -1) -> Any:
        # The shell itself says on stderr that there is no `sox`; no filter in Python sees that.
        return popen(f"{cmd} 2>{os.devnull}" if cmd == _SOX_PROBE else cmd, mode, buffering)

    os.popen = popen_quiet_probe
    try:
        with contextlib.redirect_stdout(cast(TextIO, _WithoutBanner(sys.stdout))):
            yield
    finally:
        os.popen = popen
        sox_logger.removeFilter(_is_not_sox_warning)


def _is_not_sox_warning(record: logging.LogRecord) -> bool:
    """Tell whether a record of the `sox` logger is to be shown."""
    return not record.getMessage().startswith(_SOX_WARNING)


class _WithoutBanner:
    """A stdout that lets everything through but the flash-attn banner and its line end."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._swallow_line_end = False

    def write(self, text: str) -> int:
        """Write `text` unless it is the banner; `print` sends a text and its line end apart."""
        is_line_end_of_banner = self._swallow_line_end and text == "\n"
        self._swallow_line_end = _FLASH_ATTN_BANNER in text
        if self._swallow_line_end or is_line_end_of_banner:
            return len(text)
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        """Be the wrapped stream in everything else."""
        return getattr(self._stream, name)


def ensure_numba_cache() -> None:
    """Let both cache in a temporary folder of this user's, if they have no other place."""
    if not os.path.isabs(os.path.expanduser("~")):
        os.environ.setdefault("XDG_CACHE_HOME", str(_private_folder()))
    if not any(map(_can_be_written, _usual_places())):
        os.environ[_NUMBA_CACHE_DIR] = str(_private_folder())


def _usual_places() -> list[Path]:
    """Return where numba tries to write, in its order."""
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

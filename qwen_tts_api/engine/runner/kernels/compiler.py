"""Whether a C compiler makes libraries here that can be loaded: Triton launches kernels by some."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sysconfig
import tempfile
from pathlib import Path

CACHE_VARIABLE = "TRITON_CACHE_DIR"

SOURCE = "#include <stdlib.h>\n#include <Python.h>\n"
"""What Triton's own begin with: the C library's headers are in another package than gcc."""


def compiler_obstacle(cache_dir: Path) -> str | None:
    """Return why Triton cannot compile what calls the driver, in C, or None where it can.

    Args:
        cache_dir: QWEN_CACHE_DIR.
    """
    compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")
    if not compiler:
        return "there is no C compiler (gcc, clang or CC)"
    headers = Path(sysconfig.get_paths()["include"])
    if not (headers / "Python.h").exists():
        return f"there is no {headers / 'Python.h'}"
    place = _existing(Path(os.environ.get(CACHE_VARIABLE) or triton_cache(cache_dir)))
    with tempfile.TemporaryDirectory(dir=place) as folder:
        return _trial(compiler, headers, Path(folder))


def triton_cache(cache_dir: Path) -> Path:
    """Return Triton's cache, where its variable does not name another."""
    return cache_dir / "triton"


def _existing(folder: Path) -> Path:
    """Return a folder, or the one that it would be made in; where that is read-only, another."""
    found = next(each for each in (folder, *folder.parents) if each.exists())
    return found if os.access(found, os.W_OK) else Path(tempfile.gettempdir())


def _trial(compiler: str, headers: Path, folder: Path) -> str | None:
    """Return what the compiler complains of, or what loads its library."""
    source, library = folder / "trial.c", folder / "trial.so"
    source.write_text(SOURCE)
    command = [compiler, "-shared", "-fPIC", f"-I{headers}", str(source), "-o", str(library)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if "error" in line]
            return f"{compiler} fails: {lines[0] if lines else done.returncode}"
        ctypes.CDLL(str(library))
    except OSError as error:
        return (
            f"{error} ({folder.parent} may be mounted noexec)" if library.exists() else str(error)
        )
    return None

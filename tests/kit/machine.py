"""A Python environment like that of a GPU machine: its packages, and none of this project's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from tools.gpu_kit import MACHINE_HAS

TOOLS = (
    "pip torch pytest exceptiongroup iniconfig pluggy pygments tomli "
    "matplotlib contourpy cycler fonttools kiwisolver pillow pyparsing python-dateutil six"
)
"""Beside what is in `MACHINE_HAS`."""

OTHER_VERSIONS = (
    "transformers==5.17.0",
    "tokenizers==0.23.2",
    "huggingface-hub==1.33.0",
    "accelerate==1.15.0",
)
"""With these, neither qwen-tts nor faster-qwen3-tts loads a checkpoint."""


def make_machine(folder: Path) -> Path:
    """Make the environment; return its folder of programs.

    What this environment has in the right version is linked, which takes no time.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    install = ["--python", str(folder / "bin" / "python3"), "install", "--no-compile", "--no-deps"]
    subprocess.run([*pip, *install, *OTHER_VERSIONS], check=True)
    [packages] = folder.glob("lib/python*/site-packages")
    for name in [*MACHINE_HAS, *TOOLS.split()]:
        for path in _installed_paths(name):
            if not (packages / path.name).exists():
                (packages / path.name).symlink_to(path)
    return folder / "bin"


def _installed_paths(name: str) -> Iterator[Path]:
    """Yield the files and folders of a package that lie in `site-packages` itself."""
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return  # of another Python alone
    tops = {file.parts[0] for file in distribution.files or ()}
    for top in tops - {"..", "__pycache__"}:
        yield Path(str(distribution.locate_file(top)))


def without_network() -> list[str]:
    """Return what to put before a command so that it has no network but its own loopback."""
    command = ["unshare", "--map-root-user", "--net"]
    inside = ["sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    if subprocess.run([*command, *inside, "true"], capture_output=True, check=False).returncode:
        return []  # a system that does not let its users have networks of their own
    return [*command, *inside]


def bare_environment(programs: Path, home: Path) -> dict[str, str]:
    """Return variables that lead to nothing but the machine's own programs.

    A model as small as nano computes in one thread, as in the server: two that wait for each other
    on cores that others use are six times as slow.
    """
    path = os.pathsep.join([str(programs), "/usr/sbin", "/usr/bin", "/sbin", "/bin"])
    return {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1"}

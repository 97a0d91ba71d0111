"""Gather wheels for a machine without a network that brings its own PyTorch.

    .venv/bin/python tools/wheels.py --python 3.12 --without numpy scipy numba   # here
    python3 -m pip install --no-index --no-deps --target site build/wheels/*.whl  # there
    PYTHONPATH=site python3 -m bench.gpu                                          # there

The locked packages are fetched for x86-64 Linux and the other machine's Python, but for those that
it has already and may keep. What the locks leave out, such as PyTorch, it must have.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "wheels"
LOCKS = ("requirements.lock", "requirements-dev.lock")
# pip takes a platform's name literally: every glibc that a wheel may be built against.
PLATFORMS = [f"manylinux_2_{minor}_x86_64" for minor in (17, 24, 27, 28, 31, 34, 35)]
PLATFORMS += ["manylinux1_x86_64", "manylinux2010_x86_64", "manylinux2014_x86_64"]

ONLY_SOURCE = ("sox==",)
"""Published without wheels; they are Python alone, so that one built here will do."""


def main() -> int:
    """Fetch, and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", required=True, help="the other machine's, such as 3.12")
    parser.add_argument("--without", nargs="*", default=[], help="packages that it has")
    parser.add_argument("--dev", action="store_true", help="those that the tests need, too")
    options = parser.parse_args()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    wanted = locked(LOCKS[: 1 + options.dev], set(options.without))
    built = [line for line in wanted if line.startswith(ONLY_SOURCE)]
    foreign = ["--only-binary=:all:", "--implementation=cp", f"--python-version={options.python}"]
    foreign += [f"--platform={platform}" for platform in PLATFORMS]
    pip("download", *foreign, f"--dest={FOLDER}", *(line for line in wanted if line not in built))
    pip("wheel", f"--wheel-dir={FOLDER}", *built)
    wheels = list(FOLDER.glob("*.whl"))
    megabytes = sum(wheel.stat().st_size for wheel in wheels) / 1e6
    print(f"{len(wheels)} wheels, {megabytes:.0f} MB, in {FOLDER.relative_to(ROOT)}")
    return 0


def pip(verb: str, *arguments: str) -> None:
    """Run pip; without what the packages require, since all of it is locked."""
    subprocess.run(
        [sys.executable, "-m", "pip", verb, "--quiet", "--no-deps", *arguments], check=True
    )


def locked(files: tuple[str, ...], without: set[str]) -> list[str]:
    """Return the requirements of lock files, with their markers, without some packages."""
    lines = [line for name in files for line in (ROOT / name).read_text().splitlines()]
    pinned = [line.partition("  #")[0].strip() for line in lines if re.match(r"[\w.-]+==", line)]
    return sorted({line for line in pinned if line.partition("==")[0] not in without})


if __name__ == "__main__":
    sys.exit(main())

"""All checks, tests and benchmarks on a GPU machine, in one command; see gpu_session.sh.

Runs on nothing but Python until the kit is unpacked.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from bench.gpu import add_session_options, parts_of, run
from bench.parts import Part

ROOT = Path(__file__).resolve().parent.parent
KIT = ROOT / "build" / "gpu-kit"

BEFORE_TESTS = 3
"""How many parts of the figures come first: the engine and the server, with the largest model, and
what is wrong with them. A test that breaks the device costs them nothing."""

TEST_IS_LONG_S = 30
"""After so long pytest prints where every thread is: the part may be ended before a test is."""

ENVIRON = {
    "HF_HUB_OFFLINE": "1",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # the machine has some that are no concern of ours
    "PYTHONUNBUFFERED": "1",
}


def main() -> int:
    """Unpack, check, test, measure; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path, metavar="OUT", help="where all of it is written")
    parser.add_argument("--kit", type=Path, default=KIT, help="what `make gpu-kit` made")
    add_session_options(parser)
    options = parser.parse_args()
    if not options.kit.is_dir():
        parser.error(f"there is no {options.kit}: run `make gpu-kit` where there is a network")
    python = f"Python {sys.version_info[0]}.{sys.version_info[1]}"
    made_for = (options.kit / "manifest.txt").read_text().partition("\n")[0]
    if made_for != python:
        parser.error(
            f"the kit is for {made_for}, and {sys.executable} is {python}: run `make gpu-kit "
            f"KIT_PYTHON={python.removeprefix('Python ')}` where there is a network"
        )
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        own, rival = scratch / "own", scratch / "rival"
        os.environ |= ENVIRON | {"PYTHONPATH": f"{own}{os.pathsep}{ROOT}"}
        # Else PyTorch 2.11 names it after the user, who may have no account.
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(scratch / "inductor")
        options.faster_qwen3_tts = str(_interpreter(scratch / "rival-python", rival))
        figures = parts_of(options, scratch)
        parts = [
            Part("kit", _unpack(options.kit, own, "own", "common"), 8.0),
            Part("checks", [sys.executable, "-m", "bench.gpu_check", options.device], 10.0),
            *figures[:BEFORE_TESTS],
            Part("tests", _tests(options.device), 14.0),
            Part("kit of faster-qwen3-tts", _unpack(options.kit, rival, "rival", "common"), 3.0),
            *figures[BEFORE_TESTS:],
        ]
        return run(parts, options)


def _unpack(kit: Path, target: Path, *folders: str) -> list[str]:
    wheels = [str(wheel) for folder in folders for wheel in sorted((kit / folder).glob("*.whl"))]
    pip = [sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "install"]
    how = ["--quiet", "--no-index", "--no-deps", "--no-compile", "--no-cache-dir"]
    return [*pip, *how, f"--target={target}", *wheels]


def _interpreter(path: Path, packages: Path) -> Path:
    """Write a program that runs this Python with other packages: another transformers."""
    path.write_text(f'#!/bin/sh\nPYTHONPATH="{packages}" exec "{sys.executable}" "$@"\n')
    path.chmod(0o755)
    return path


def _tests(device: str) -> list[str]:
    """Return the command for the tests marked `gpu`; without a GPU they are only collected."""
    marked = [
        str(path)
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        if "pytest.mark.gpu" in path.read_text(encoding="utf-8")
    ]
    how = ["-m", "gpu", "-v", "-p", "pytest_timeout", "-p", "no:cacheprovider"]
    how += ["-W", "default"]  # its versions warn of other things
    how += ["-o", f"faulthandler_timeout={TEST_IS_LONG_S}"]
    how += ["--collect-only"] if device == "cpu" else []
    return [sys.executable, "-m", "pytest", f"--rootdir={ROOT}", *how, *marked]


if __name__ == "__main__":
    sys.exit(main())

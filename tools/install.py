"""Install PyTorch, the locked packages and this project into the Python that runs this file.

    .venv/bin/python tools/install.py --dev           # what `make setup` runs
    .venv/bin/python tools/install.py --only check    # verify what is installed

Four things keep this from being a plain `pip install .`:

- PyTorch's build depends on the machine. On Linux, PyPI's brings 2 GB of CUDA packages, of no use
  without an NVIDIA GPU; the build for the CPU has a version of its own.
- qwen-tts requires gradio, which only its demo imports. It is left out, with all that it brings.
- qwen-tts requires torchaudio, whose builds load the PyTorch and CUDA that they were built for, and
  none was built for this PyTorch. Only the 25 Hz tokenizer, which no published model uses, calls
  it. It is left out; `qwen_tts_api` has a stand-in for the import.

- dashscope, whose client the tests use, requires what other parts of it import: servers, and a
  command line.

So the lock files, which hold none of these nor PyTorch, are installed with `--no-deps`. Then `pip
check` complains of those; any other complaint is an error here.
"""

from __future__ import annotations

import argparse
import compileall
import os
import platform
import re
import subprocess
import sys
import sysconfig
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

PYTORCH_VERSION = "2.13.0"
PYTORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"

MIN_DRIVER = 580
"""Of CUDA 13.0, which PyPI's build is for."""

OTHER_INDEX = "PIP_EXTRA_INDEX_URL"
"""Where PyTorch's builds for other versions of CUDA are, if a caller names it."""

PYTHON_MIN, PYTHON_BELOW = (3, 10), (3, 14)

LEFT_OUT = {
    "qwen-tts": ("gradio", "torchaudio"),
    "dashscope": ("fastapi", "tiktoken", "typer", "uvicorn"),
}
"""What is not installed, although a package requires it."""

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
DEV_LOCK = ROOT / "requirements-dev.lock"


class InstallError(Exception):
    """The installation failed."""


def main() -> int:
    """Run the command line; return the exit status."""
    options = _parse_options()
    try:
        _require_supported_python()
        if options.only in (None, "pytorch", "packages"):
            install_pytorch(*choose_build(options.torch))
        if options.only == "pytorch":
            return 0
        if options.only in (None, "packages"):
            install_locked(dev=options.dev)
            if options.flash_attn:
                install_flash_attn(options.flash_attn)
            compile_installed()
        if options.only in (None, "project"):
            install_project(editable=options.editable)
        check_installed()
    except InstallError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130  # what a shell reports for Ctrl-C
    return 0


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--torch",
        choices=("auto", "cpu", "cuda"),
        default=os.environ.get("TORCH") or "auto",
        help="PyTorch's build; auto: cuda beside an NVIDIA GPU, else cpu (default: $TORCH or auto)",
    )
    parser.add_argument(
        "--flash-attn",
        metavar="REQUIREMENT",
        default=os.environ.get("FLASH_ATTN", ""),
        help="flash-attn as a wheel's URL or a pip requirement (default: $FLASH_ATTN or none)",
    )
    parser.add_argument("--dev", action="store_true", help="with the tools of tests and checks")
    parser.add_argument(
        "--no-editable",
        dest="editable",
        action="store_false",
        help="copy this project instead of linking to this folder",
    )
    parser.add_argument(
        "--only",
        choices=("pytorch", "packages", "project", "check"),
        help="do one part only: PyTorch; it and the other packages; this project; or the check "
        "that these end with",
    )
    options = parser.parse_args()
    if options.torch not in ("auto", "cpu", "cuda"):  # argparse does not check defaults
        parser.error(f"TORCH={options.torch!r} is not allowed: set auto, cpu or cuda.")
    return options


def _require_supported_python() -> None:
    if not PYTHON_MIN <= sys.version_info[:2] < PYTHON_BELOW:
        raise InstallError(
            f"Python 3.{PYTHON_MIN[1]} to 3.{PYTHON_BELOW[1] - 1} is needed, "
            f"but {sys.executable} is Python {platform.python_version()}."
        )


def choose_build(wanted: str) -> tuple[str, str]:
    """Return PyTorch's build, `cpu` or `cuda`, and why it was chosen."""
    if wanted != "auto":
        return wanted, "as asked"
    listed = _nvidia_smi("-L")
    if listed is None:
        return "cpu", "nvidia-smi does not run here"
    gpus = [line for line in listed if line.startswith("GPU ")]
    if not gpus:
        return "cpu", "nvidia-smi lists no GPU"
    return "cuda", gpus[0].partition(" (UUID")[0]


def _nvidia_smi(*arguments: str) -> list[str] | None:
    """Return the lines that it prints; None where it does not run."""
    command = ["nvidia-smi", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.splitlines()


def warn_of_old_driver() -> None:
    """Print a warning where PyTorch would see no GPU, for the driver's sake."""
    [version, *_] = _nvidia_smi("--query-gpu=driver_version", "--format=csv,noheader") or [""]
    major = version.partition(".")[0]
    if major.isdecimal() and int(major) < MIN_DRIVER:
        print(
            f"warning: the driver is {version}, and PyTorch {PYTORCH_VERSION} sees the GPU from "
            f"{MIN_DRIVER} on. Update it, or take a build for an older CUDA:\n"
            f"  {OTHER_INDEX}=https://download.pytorch.org/whl/cu126 make setup TORCH=cuda",
            flush=True,
        )


def install_pytorch(build: str, reason: str) -> None:
    """Install PyTorch's build for the CPU or for CUDA, unless it is there."""
    installed = _installed_version("torch")
    if build == "cuda":
        elsewhere = os.environ.get(OTHER_INDEX)
        if installed and _is_cuda(installed) and not elsewhere:
            return
        if not elsewhere:
            warn_of_old_driver()
        # == alone prefers the build for the CPU where pip finds both. It also prefers others, such
        # as 2.13.0+cu126 for older drivers, where PIP_EXTRA_INDEX_URL has them.
        requirement = f"torch=={PYTORCH_VERSION},!={PYTORCH_VERSION}+cpu"
        with _step(f"PyTorch {PYTORCH_VERSION} with CUDA ({reason}), 2.6 GB to download"):
            # What is there is no reason to stay with it, where another index has another build.
            _pip("install", "--upgrade", "--no-compile", requirement, "--constraint", str(LOCK))
        return
    version = PYTORCH_VERSION if sys.platform == "darwin" else f"{PYTORCH_VERSION}+cpu"
    if installed == version:
        return
    with _step(f"PyTorch {version} ({reason}), 0.2 GB to download"):
        arguments = ("install", "--no-compile", f"torch=={version}", "--no-deps")
        try:
            _pip(*arguments)
        except InstallError as error:
            # PyPI has no build for the CPU on Linux: pip finds one only where it is configured to.
            print(f"  not offered to pip here; trying {PYTORCH_CPU_INDEX}", flush=True)
            try:
                _pip(*arguments, "--index-url", PYTORCH_CPU_INDEX)
            except InstallError as second_error:
                raise InstallError(f"{error}\n{second_error}") from None


def _is_cuda(version: str) -> bool:
    release, _, local = version.partition("+")
    return release == PYTORCH_VERSION and local != "cpu"


def install_locked(*, dev: bool) -> None:
    """Install what the lock files pin, and nothing else."""
    locks = [LOCK, DEV_LOCK] if dev else [LOCK]
    with _step(f"the packages of {' and '.join(lock.name for lock in locks)}"):
        files = (f"--requirement={lock}" for lock in locks)
        _pip("install", "--no-compile", "--no-deps", *files)


def compile_installed() -> None:
    """Compile what is installed, on every core, while pip takes one; but for tests of packages."""
    folder = sysconfig.get_path("purelib")
    tests = re.compile(rf"^{re.escape(folder)}/(.*/)?tests?/")
    with _step("their bytecode"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # As by pip: a template that is no Python is no failure.
        compileall.compile_dir(folder, quiet=2, rx=tests, workers=0)


def install_flash_attn(requirement: str) -> None:
    """Install flash-attn; from its source this takes nvcc and the better part of an hour."""
    with _step(f"flash-attn ({requirement})"):
        # Its build imports the PyTorch that is installed. Its requirements are installed already.
        _pip("install", "--no-deps", "--no-build-isolation", requirement)


def install_project(*, editable: bool) -> None:
    """Install this project, with the setuptools of the lock instead of a download."""
    source = ["--editable", str(ROOT)] if editable else [str(ROOT)]
    with _step("qwen-tts-api itself"):
        _pip("install", "--no-deps", "--no-build-isolation", *source)


def check_installed() -> None:
    """Raise on any complaint of `pip check`, except about the packages that are left out."""
    result = subprocess.run(
        [sys.executable, "-m", "pip", "check", "--disable-pip-version-check"],
        capture_output=True,
        text=True,
        check=False,
    )
    expected = {
        f"{package} {_installed_version(package)} requires {name}, which is not installed."
        for package, names in LEFT_OUT.items()
        for name in names
    }
    problems = [line for line in result.stdout.splitlines() if line not in expected]
    if result.returncode and (problems or not result.stdout):
        raise InstallError("\n".join(["pip check:", *problems, result.stderr]).strip())


def _installed_version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


@contextmanager
def _step(what: str) -> Iterator[None]:
    """Print what is being installed, and how long it took."""
    started_s = time.monotonic()
    print(f"Installing {what} ...", flush=True)
    yield
    print(f"  done in {time.monotonic() - started_s:.0f} s", flush=True)


def _pip(*arguments: str) -> None:
    """Run pip quietly; if it fails, raise an `InstallError` with its output."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    environ = {"PIP_ROOT_USER_ACTION": "ignore", **os.environ}
    if not os.access(os.path.expanduser("~"), os.W_OK):
        # Where a package is built, as sox is, pip fails if it cannot write to its cache.
        environ.setdefault("PIP_NO_CACHE_DIR", "1")
    result = subprocess.run(
        [*command, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environ,
        check=False,
    )
    if result.returncode:
        raise InstallError(f"pip {' '.join(arguments)} failed:\n{result.stdout.rstrip()}")


if __name__ == "__main__":
    sys.exit(main())

"""Collect wheels for a GPU machine without a network: `make gpu-kit`; see bench/gpu_session.sh.

Such a machine has an x86-64 Linux and a Python, PyTorch and scientific packages of its own, which
are left as they are. The kit holds wheels of what else this project needs, in three folders:

    own/     for this project, also where the machine has a version that does not do
    rival/   for faster-qwen3-tts, which needs another transformers
    common/  for both

Versions are those of the lock files. What is there already in the right versions is kept.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "gpu-kit"
PYTHON = "3.12"
MANIFEST = "manifest.txt"
MAX_BYTES = 36_000_000
"""With the checkout, 30 MB, it stays below 64 MiB, which is what some such machines take."""

MACHINE_HAS = frozenset(
    """
    certifi charset-normalizer click cloudpickle einops filelock flatbuffers fsspec hf-xet
    idna jinja2 joblib lazy-loader llvmlite markupsafe mpmath msgpack networkx numba numpy
    onnxruntime packaging prometheus-client protobuf psutil pyyaml regex requests safetensors
    scikit-learn scipy setuptools sympy threadpoolctl tqdm typing-extensions urllib3 wrapt
    """.split()
)
"""Of what requirements.lock names; in another version, perhaps, that does as well."""

TEST_TOOLS = frozenset({"pytest-timeout"})
"""Of requirements-dev.lock: pyproject.toml configures it. The machine has pytest itself."""

COMMON = frozenset(
    """
    audioread cffi decorator librosa platformdirs pooch pycparser soundfile sox soxr tokenizers
    """.split()
)
"""What both qwen-tts and the rival's copy of it import."""

RIVAL = ("faster-qwen3-tts==0.5.4", "qwen-tts-hf==0.1.1.post1", "transformers==5.15.1")
"""No part of the project, so in no lock. Of transformers the oldest that qwen-tts-hf allows: with
5.17.0 it loads no checkpoint (`'MimiConfig' object has no attribute 'rope_theta'`)."""

ONLY_SOURCE = frozenset({"sox"})
"""Published without a wheel; Python alone, so that one built here will do."""

# pip takes a platform's name literally: every glibc that a wheel may be built against.
PLATFORMS = [f"manylinux_2_{minor}_x86_64" for minor in (5, 12, 17, 24, 27, 28, 31, 34, 35)]
PLATFORMS += ["manylinux1_x86_64", "manylinux2010_x86_64", "manylinux2014_x86_64"]


def main() -> int:
    """Build the kit, and print its size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--python", default=PYTHON, help=f"the machine's (default: {PYTHON})")
    parser.add_argument("--out", type=Path, default=FOLDER, help="default: build/gpu-kit")
    options = parser.parse_args()
    requirements = wanted(options.python)
    stamp = options.out / MANIFEST
    if not stamp.exists() or stamp.read_text() != manifest(options.python, requirements):
        make(options.out, options.python, requirements)
    wheels = list(options.out.glob("*/*.whl"))
    num_bytes = sum(wheel.stat().st_size for wheel in wheels)
    print(
        f"{options.out}: {len(wheels)} wheels for Python {options.python}, {num_bytes / 1e6:.1f} MB"
    )
    if num_bytes > MAX_BYTES:
        print(f"error: more than {MAX_BYTES / 1e6:.0f} MB", file=sys.stderr)
    return int(num_bytes > MAX_BYTES)


def wanted(python: str) -> dict[str, list[str]]:
    """Return the pinned requirements of each folder for a Python such as `3.12`."""
    locked = {each.name: each for each in _locked("requirements.lock", python)}
    tools = {each.name: each for each in _locked("requirements-dev.lock", python)}
    lacking = {name: each for name, each in locked.items() if name not in MACHINE_HAS}
    lacking |= {name: tools[name] for name in TEST_TOOLS}
    return {
        "own": sorted(_pin(each) for name, each in lacking.items() if name not in COMMON),
        "common": sorted(_pin(each) for name, each in lacking.items() if name in COMMON),
        "rival": sorted(RIVAL),
    }


def _locked(file: str, python: str) -> Iterator[Requirement]:
    """Yield the requirements that a lock pins for the machine, with canonical names."""
    machine = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": "linux",
        "platform_machine": "x86_64",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    for line in (ROOT / file).read_text().splitlines():
        if text := line.partition("#")[0].strip():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate(machine):
                requirement.name = canonicalize_name(requirement.name)
                yield requirement


def _pin(requirement: Requirement) -> str:
    return f"{requirement.name}{requirement.specifier}"


def manifest(python: str, requirements: dict[str, list[str]]) -> str:
    """Return the manifest of a kit, which is written when all wheels are complete."""
    lines = [f"{part}/{line}" for part, each in requirements.items() for line in each]
    return "\n".join([f"Python {python}", *lines, ""])


def make(folder: Path, python: str, requirements: dict[str, list[str]]) -> None:
    """Download all wheels to a temporary folder, then replace the kit."""
    scratch = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(scratch, ignore_errors=True)
    foreign = ["--only-binary=:all:", "--implementation=cp", f"--python-version={python}"]
    foreign += [f"--platform={platform}" for platform in PLATFORMS]
    for part, lines in requirements.items():
        built = [line for line in lines if line.partition("==")[0] in ONLY_SOURCE]
        fetched = [line for line in lines if line not in built]
        _pip("download", *foreign, f"--dest={scratch / part}", *fetched)
        if built:
            _pip("wheel", f"--wheel-dir={scratch / part}", *built)
    (scratch / MANIFEST).write_text(manifest(python, requirements))
    shutil.rmtree(folder, ignore_errors=True)
    scratch.rename(folder)


def _pip(verb: str, *arguments: str) -> None:
    """Run pip without dependencies: all of them are named."""
    subprocess.run(
        [sys.executable, "-m", "pip", verb, "--quiet", "--no-deps", *arguments], check=True
    )


if __name__ == "__main__":
    sys.exit(main())

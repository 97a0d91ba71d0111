"""The kit for a GPU machine: what is in it, and a rehearsal of what is run there with it.

The machine is this one, with the packages of the other. What only a GPU has is not measured.
"""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.kit.machine import bare_environment, make_machine, without_network
from tools.gpu_kit import FOLDER, MAX_BYTES, PYTHON, ROOT

pytestmark = pytest.mark.kit

HERE = ".".join(platform.python_version_tuple()[:2])
SUITABLE = re.compile(
    r"-((py2\.)?py3-none-(any|manylinux\w*)|cp3\d+-abi3-[\w.]+|cp312-cp312-[\w.]+)\.whl$"
)
ROWS = [
    *(f"graphs, {count} streams" for count in (8, 32)),
    *("graphs, 1 stream", "eager, 1 stream", "eager, 8 streams", "burst, 16 at once"),
    *(f"open loop, {rate} a second" for rate in (5, 40)),
    *("HTTP, 1 stream", "HTTP, 8 streams", "HTTP open loop, 5 a second", "qwen-tts, 1 stream"),
]


def make_kit(*arguments: str) -> str:
    command = [sys.executable, "-m", "tools.gpu_kit", *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def locked_versions() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = [Requirement(line.partition("#")[0]) for line in lines if not line.startswith("#")]
    return {pin.name: str(pin.specifier).removeprefix("==") for pin in pins}


def test_every_wheel_is_for_the_machine_in_the_locked_version() -> None:
    """All within 36 MB; fetched once."""
    make_kit()
    wheels = list(FOLDER.glob("*/*.whl"))
    before = {wheel: wheel.stat().st_mtime_ns for wheel in wheels}
    assert f"{len(wheels)} wheels for Python {PYTHON}" in make_kit()
    assert before == {wheel: wheel.stat().st_mtime_ns for wheel in FOLDER.glob("*/*.whl")}
    assert sum(wheel.stat().st_size for wheel in wheels) < MAX_BYTES
    foreign = [wheel.name for wheel in wheels if not SUITABLE.search(wheel.name)]
    assert not [name for name in foreign if not name.endswith("x86_64.whl")]
    assert not foreign
    assert not [wheel.name for wheel in wheels if "aarch64" in wheel.name]
    versions = locked_versions()
    for name in ("transformers", "tokenizers", "qwen-tts", "flask", "soxr", "lameenc"):
        stem = f"{name.replace('-', '_')}-{versions[name]}-"
        assert [wheel for wheel in wheels if wheel.name.startswith(stem)], name


@pytest.mark.timeout(1800)  # two minutes, unless others want the same cores
def test_a_machine_without_a_network_checks_and_measures_with_the_kit_alone(
    tmp_path: Path,
) -> None:
    """Every part, at nano's size and with fewer streams; the table is what it prints last."""
    kit = ROOT / "build" / f"gpu-kit-{HERE}"
    make_kit(f"--python={HERE}", f"--out={kit}")
    programs = make_machine(tmp_path / "machine")
    session = ["bash", str(ROOT / "bench" / "gpu_session.sh"), "out", f"--kit={kit}"]
    quick = ["--device=cpu", "--size=nano", "--frames=3", "--open-loop-s=0.2", "--seconds=1500"]
    quick += [
        "--streams=1,8,32",
        "--burst=16",
        "--rates=5,40",
        "--http-streams=1,8",
        "--http-rates=5",
    ]
    done = subprocess.run(
        [*without_network(), *session, *quick],
        cwd=tmp_path,
        env=bare_environment(programs, tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout, done.stderr)
    assert done.returncode == 0
    out = tmp_path / "out"
    table = (out / "gpu.md").read_text()
    assert done.stdout.endswith(table + "\n")
    assert [row for row in ROWS if f"\n| {row} | " not in table] == []
    assert "CUDA graphs require CUDA device" in table  # so that faster-qwen3-tts was imported
    assert not re.search("failed|cut off|not ended", table)
    for name in ("transformers", "tokenizers", "qwen-tts"):
        assert f"\n{name} {locked_versions()[name]}\n" in done.stdout
    assert "tests collected" in (out / "gpu.log").read_text()
    result = json.loads((out / "gpu_nano.json").read_text())["result"]
    assert result["graphs"]["32 streams"]["frames"] == 32 * 3
    assert {path.name for path in out.iterdir()} == {
        *("gpu.log", "gpu.md", "gpu.png", "gpu_nano.json")
    }

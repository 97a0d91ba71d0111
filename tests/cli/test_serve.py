"""`serve`, as it is installed: from a wheel, with no checkout in sight."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
import requests

from bench.server import free_port
from tests.cli.command import ON_A_CPU, ROOT, environment, run
from tests.conftest import wait_until

PACKAGE = ROOT / "qwen_tts_api"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel, built of a copy: what lies about in a checkout's `build` is not in it."""
    source = tmp_path_factory.mktemp("source")
    shutil.copytree(PACKAGE, source / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(source))
    pip("wheel", *options, str(source))
    return next(source.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the programs' folder of an environment with the wheel and this one's packages."""
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    pip("--python", str(python), "install", "--no-deps", "--no-index", str(wheel))
    # Only now: pip must not see, let alone replace, the project that is installed there.
    site = next((folder / "lib").glob("python*/site-packages"))
    (site / "packages.pth").write_text(sysconfig.get_path("purelib"))
    return python.parent


def pip(*arguments: str) -> None:
    """Run pip; show what it says where it fails."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.slow
def test_everything_in_the_package_is_in_the_wheel(wheel: Path) -> None:
    """Pages and the like are named in pyproject.toml, or they are left out."""
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith(f"{PACKAGE.name}/")}
    files = {str(path.relative_to(ROOT)) for path in PACKAGE.rglob("*") if path.is_file()}
    assert packed == {name for name in files if "__pycache__" not in name}


@pytest.mark.slow
def test_an_installed_server_serves(installed: Path, tmp_path: Path) -> None:
    """The process is gunicorn's own, so that it gets the signals; the client finds it."""
    environ = {name: value for name, value in environment().items() if name != "PYTHONPATH"}
    where = subprocess.run(
        [installed / "python", "-c", "import qwen_tts_api as q; print(q.__file__)"],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        check=True,
    )
    assert where.stdout.decode().startswith(str(installed.parent))
    program = installed / "qwen-tts-api"
    url = f"http://127.0.0.1:{free_port()}"
    options = ("--bind", url.removeprefix("http://"), "--ops-bind", "off", "--model", "nano")
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(
            [program, "serve", *options, *ON_A_CPU], cwd=tmp_path, env=environ, stderr=log
        ) as server,
    ):
        try:
            wait_until(lambda: server.poll() is not None or is_ready(url), 120)
            said = subprocess.run(
                [program, "say", "Hi.", "--server", url, "-o", "x.wav"],
                cwd=tmp_path,
                env=environ,
                check=False,
            )
            assert said.returncode == 0, (tmp_path / "log").read_text()
            assert (tmp_path / "x.wav").stat().st_size > 1000
            server.send_signal(signal.SIGTERM)
            assert server.wait(60) == 0
        finally:
            server.kill()


def is_ready(url: str) -> bool:
    """Whether /readyz says so."""
    try:
        return requests.get(f"{url}/readyz", timeout=5).ok
    except requests.ConnectionError:
        return False


def test_what_cannot_start_exits_as_the_server_does() -> None:
    """With its sentence and its exit code; an option is the same as the environment."""
    result = run("serve", "--port", free_port(), environ={"QWEN_DEVCE": "cpu"})
    assert (result.returncode, b"did you mean QWEN_DEVICE?" in result.stderr) == (4, True)


def test_port_and_bind_are_one_setting() -> None:
    result = run("serve", "--port", 1, "--bind", "127.0.0.1:1")
    assert (result.returncode, b"Give --port or --bind, not both." in result.stderr) == (2, True)

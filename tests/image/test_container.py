"""The image runs as the pod's manifest has it, and does what the documents say."""

from __future__ import annotations

import json
import re
import subprocess
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import wait_until
from tests.image.conftest import StartContainer
from tests.image.container import Container, pod
from tools.image.build import ROOT

# A line ending in a backslash goes on. Those for clones and for players need more than a server.
CURLS = [
    block
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    for block in re.findall(r"^```\n(curl .+?)\n```$", path.read_text(), re.M | re.S)
    if block.endswith("-o hello.wav") and "@me.wav" not in block
]

LONG_TEXT = "The quick brown fox jumps over the lazy dog, and nobody knows why. " * 10


def assert_speech(path: Path) -> None:
    """Fail if a file is no whole WAV with something to hear in it."""
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)
        num_frames = file.getnframes()
        samples = np.frombuffer(file.readframes(num_frames), "<i2") / 32768
    size = int.from_bytes(path.read_bytes()[4:8], "little")
    assert path.stat().st_size == 8 + size  # what the header says is what is there
    assert len(samples) > 24_000 / 2
    assert np.sqrt(np.mean(samples**2)) > 0.01


def test_the_documents_have_commands_to_try() -> None:
    """Ours twice, Coqui's and MaryTTS's."""
    assert len(CURLS) == 4


@pytest.mark.parametrize("command", CURLS, ids=lambda text: text.splitlines()[-1][:40])
def test_the_commands_of_the_documents_work(
    container: Container, command: str, tmp_path: Path
) -> None:
    """Word for word."""
    result = container.beside(["sh", "-c", command], cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert_speech(tmp_path / "hello.wav")


def test_no_process_has_any_right(container: Container) -> None:
    """Neither the master nor the worker, nor could they get one: not root, no capabilities."""
    security = pod()["securityContext"]
    processes = container.processes()
    assert len(processes) == 2
    for number in processes:
        text = Path(f"/proc/{number}/status").read_text()
        status = dict(line.split(":\t", 1) for line in text.splitlines())
        assert set(status["Uid"].split()) == {str(security["runAsUser"])}
        assert set(status["Gid"].split()) == {str(security["runAsGroup"])}
        assert set(status["Groups"].split()) == {str(security["fsGroup"])}
        for capabilities in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(status[capabilities], 16) == 0, capabilities
        assert status["NoNewPrivs"] == "1"
        assert status["Seccomp"] == "2"  # a filter of system calls


def test_gunicorn_is_process_1(container: Container) -> None:
    """It gets the signals: no shell or entry point of the base stands between."""
    command = Path(f"/proc/{container.pid()}/cmdline").read_bytes().split(b"\0")
    assert command[1].endswith(b"/gunicorn")
    assert container.processes()[0] == container.pid()


def test_only_the_pod_s_volumes_can_be_written_to(container: Container) -> None:
    """Of all folders that there are, but for those that only the kernel fills."""
    search = "find / -type d -writable -not -path '/proc/*' 2>/dev/null; true"
    folders = set(container.inside("sh", "-c", search).stdout.split())
    mounts = tuple(mount["mountPath"] for mount in pod()["containers"][0]["volumeMounts"])
    assert set(mounts) <= folders
    assert {path for path in folders if not path.startswith(mounts)} <= {"/dev/mqueue"}
    result = container.inside("sh", "-c", "echo > /app || echo > /opt/venv/x")
    assert "Read-only file system" in result.stderr


def test_all_code_is_compiled_in_the_image(container: Container) -> None:
    """On a read-only root every start would do it again, and could not keep it."""
    program = "import torch, transformers, librosa, qwen_tts_api.server.wsgi"
    result = container.inside("python", "-v", "-c", program)
    assert result.returncode == 0, result.stderr[-2000:]
    compiled = re.findall(r"^# code object from '?(/opt/venv/.+\.py)'?$", result.stderr, re.M)
    assert compiled == []
    assert "/site-packages/qwen_tts_api/__pycache__/" in result.stderr


def test_audio_is_encoded_by_the_distribution_s_library(container: Container) -> None:
    """Whose Opus is three times as fast as that of soundfile's wheel, which is not there."""
    program = (
        "import io, numpy, soundfile\n"
        "for name in ('OGG/OPUS', 'OGG/VORBIS', 'FLAC/PCM_16', 'MP3/MPEG_LAYER_III'):\n"
        "    file, (container, codec) = io.BytesIO(), name.split('/')\n"
        "    soundfile.write(file, numpy.zeros(24000), 24000, codec, format=container)\n"
        "    samples, rate = soundfile.read(io.BytesIO(file.getvalue()))\n"
        "    assert rate == 24000 and len(samples) >= 24000, name\n"
        "print(*(line.split()[-1] for line in open('/proc/self/maps') if 'libsndfile' in line))"
    )
    result = container.inside("python", "-c", program)
    assert result.returncode == 0, result.stderr
    assert {Path(path).parts[1] for path in result.stdout.split()} == {"usr"}


def test_the_health_check_tells_well_from_ill(container: Container, image: dict[str, Any]) -> None:
    """The image's own command, run as Docker runs it."""
    kind, *command = image["Healthcheck"]["Test"]
    assert kind == "CMD"
    assert container.inside(*command).returncode == 0
    nobody = container.inside(*command, QWEN_OPS_BIND="0.0.0.0:1")
    assert nobody.returncode == 1
    assert "no answer" in nobody.stdout


def test_the_command_line_is_there(container: Container) -> None:
    """It asks the server beside it."""
    listed = container.inside("qwen-tts-api", "voices")
    assert listed.returncode == 0, listed.stderr
    assert "serena" in listed.stdout.lower()


def test_nothing_went_wrong(container: Container) -> None:
    """The log is JSON; the only warning is of flash-attn, which a CPU cannot use."""
    lines = [json.loads(line) for line in container.log.splitlines()]
    loud = [line for line in lines if line["level"] not in ("INFO", "DEBUG")]
    assert [line["logger"] for line in loud] == ["qwen_tts_api.model.weights.placement"]


def test_sigterm_finishes_what_runs_and_exits_with_0(
    start_container: StartContainer, tmp_path: Path
) -> None:
    """A request in the middle of its work is answered whole."""
    container = start_container()
    target = tmp_path / "hello.wav"
    request = ["curl", "--silent", "--fail", "--show-error", "localhost:8888/api/tts"]
    request += ["--data-urlencode", f"text={LONG_TEXT}", "--output", str(target)]
    with subprocess.Popen(container.beside_command(request)) as client:
        wait_until(lambda: _running(container) >= 1, 60)
        container.terminate()
        assert client.poll() is None, "the request was over before the signal"
        assert client.wait(120) == 0
    assert container.process.wait(60) == 0
    assert_speech(target)
    assert "Traceback" not in container.log


def _running(container: Container) -> int:
    answer = container.beside(["curl", "--silent", "localhost:8889/readyz"])
    running: int = json.loads(answer.stdout)["running"]
    return running

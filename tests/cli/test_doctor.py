"""Every check, seen to find what it looks for."""

from __future__ import annotations

import importlib.util
import json
import resource
import shutil
import socket
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from markupsafe import _speedups
from packaging.requirements import Requirement

from qwen_tts_api import audio
from qwen_tts_api.audio.encoder import Samples
from qwen_tts_api.audio.encoders import ENCODERS
from qwen_tts_api.checkpoints.nano import ensure_nano
from qwen_tts_api.cli.doctor import checkpoints, computing, encoders, installation, machine
from qwen_tts_api.cli.doctor import subject as doctor_subject
from qwen_tts_api.cli.doctor.checks import CHECKS, Check, examine
from qwen_tts_api.cli.doctor.findings import ERROR, OK, WARNING, Finding
from qwen_tts_api.cli.doctor.subject import Gpu, Hardware, Subject
from qwen_tts_api.config.settings import DEFAULT_CACHE_DIR
from tests.checkpoints.test_card import CONFIG, write_config
from tests.cli.command import ROOT, run
from tests.rows import for_each

ON_CPU = {"QWEN_MODEL_ID": "nano", "QWEN_DEVICE": "cpu", "QWEN_DTYPE": "float32"}
GIB = 2**30
T4 = Gpu("Tesla T4", (7, 5), 15 * GIB)
H200 = Gpu("NVIDIA H200", (9, 0), 140 * GIB)


def subject(**settings: str) -> Subject:
    """Return what is examined with these settings, else nano on the CPU."""
    return Subject.from_env(ON_CPU | settings)


def beside(*gpus: Gpu, cuda: str | None = "13.0", drivers: int = 1, **settings: str) -> Subject:
    """Return what is examined beside these GPUs, which no machine of the tests has."""
    subject = Subject.from_env({"QWEN_DEVICE": "cuda", **settings})
    lines = tuple(f"GPU {number}, 550.54" for number in range(drivers))
    vars(subject)["hardware"] = Hardware("2.13.0", cuda, gpus, lines)
    return subject


def only(check: Check, subject: Subject) -> Finding:
    """Return the one finding of a check."""
    [finding] = check(subject)
    return finding


@pytest.mark.slow
def test_a_machine_that_can_serve_is_ready() -> None:
    """As a command: a line a finding, the verdict last, exit code 0."""
    free = f"127.0.0.1:{free_port()}"
    options = ("--device", "cpu", "--dtype", "float32", "--bind", free, "--ops-bind", "off")
    result = run("doctor", "--model", "nano", *options)
    *lines, verdict = result.stdout.decode().splitlines()
    assert result.returncode == 0, result.stdout
    assert {line.split()[0] for line in lines} == {OK}
    assert verdict == (
        f"Ready to serve nano (custom_voice) on cpu in float32 at {free}, no warnings."
    )
    assert result.stderr == b""


def test_a_machine_that_cannot_serve_is_told_what_to_do() -> None:
    """As JSON: what is wrong does not hide what else is wrong; exit code 1."""
    wrong = {"QWEN_DEVCE": "cpu", "QWEN_DTYPE": "int8", "QWEN_MODEL_ID": "/no/such"}
    result = run("doctor", "--json", "--device", "cuda:7", environ=wrong)
    assert result.returncode == 1
    report = json.loads(result.stdout)
    errors = {(f["check"], f["message"][:20]) for f in report["findings"] if f["level"] == ERROR}
    assert errors >= {
        ("settings", "QWEN_DEVCE is not a "),
        ("settings", "QWEN_DTYPE='int8' is"),
        ("device", "QWEN_DEVICE=cuda:7 i"),
        ("checkpoint", "There is no folder '"),
    }
    assert not report["ready"]
    assert report["verdict"].startswith(f"Not ready: {len(errors)} things to mend, ")


def test_the_example_of_the_documents_is_what_is_printed() -> None:
    """On a machine without a GPU, and so without what needs the model's files."""
    text = (ROOT / "docs" / "command-line.md").read_text()
    lines = text.partition("$ qwen-tts-api doctor")[2].partition("Not ready")[0].splitlines()[1:]
    names = [line[9:21].strip() for line in lines]
    assert list(dict.fromkeys(names)) == [
        name for name in CHECKS if name not in ("defaults", "memory")
    ]
    without = beside(cuda=None, drivers=0)
    for name in ("packages", "device", "dtype", "attention", "kernels"):
        finding = only(CHECKS[name], without)
        printed = f"{finding.level:8} {name:12} {finding.message} {finding.advice}".rstrip()
        assert printed in lines, printed


@pytest.mark.slow
def test_no_network_is_asked(tmp_path: Path) -> None:
    """A checkpoint that is not here is looked for in the cache alone."""
    hub = f"http://127.0.0.1:{free_port()}"  # would be a refused connection, and a traceback
    environ = {"HF_ENDPOINT": hub, "HF_HOME": str(tmp_path)}
    result = run("doctor", "--model", "Qwen/speaks", "--device", "cpu", environ=environ)
    assert b"Qwen/speaks is not here: the first start downloads it." in result.stdout
    offline = environ | {"HF_HUB_OFFLINE": "1"}
    result = run("doctor", "--model", "Qwen/speaks", "--device", "cpu", environ=offline)
    assert b"Qwen/speaks is not in the hub's cache, and HF_HUB_OFFLINE is set." in result.stdout
    assert result.returncode == 1


def test_a_check_that_fails_itself_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the others go on."""

    def fail(subject: Subject) -> list[Finding]:
        raise RuntimeError("what?")

    monkeypatch.setitem(CHECKS, "python", fail)
    findings = list(examine(subject()))
    assert (findings[0].level, findings[0].check) == (ERROR, "python")
    assert "RuntimeError('what?')" in findings[0].message
    assert {finding.check for finding in findings} == set(CHECKS)


@pytest.mark.parametrize("broken", ["locate_here", "read_card"])
def test_the_verdict_survives_what_a_check_does_not(
    monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """The last line describes what would be served, where that cannot be told either."""

    def fail(*_: object) -> None:
        raise RuntimeError("cannot cache function")

    monkeypatch.setattr(doctor_subject, broken, fail)
    broken_subject = subject()
    assert list(examine(broken_subject))
    assert broken_subject.description.startswith("nano on cpu in float32")


@pytest.mark.parametrize(
    ("requirement", "sentence"),
    [
        ("flask>=3.1,<4", ""),
        ("flask>=99", "is installed, not >=99."),
        ("no-such-package", "no-such-package is not installed."),
    ],
)
def test_packages(requirement: str, sentence: str) -> None:
    messages = [f.message for f in installation.check_requirement(Requirement(requirement))]
    assert len(messages) == bool(sentence)
    assert all(message.endswith(sentence) for message in messages)


def test_pytorch_that_cannot_be_imported(tmp_path: Path) -> None:
    """A verdict comes all the same."""
    (tmp_path / "torch.py").write_text("raise OSError('libcudart.so.13')")
    environ = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    result = run("doctor", "--model", "nano", "--device", "cpu", environ=environ)
    assert result.returncode == 1
    assert b"PyTorch cannot be imported: OSError('libcudart.so.13')" in result.stdout
    assert b"\nNot ready: " in result.stdout


def test_a_driver_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`nvidia-smi` lists a GPU that this build of PyTorch cannot use."""
    program = tmp_path / "nvidia-smi"
    program.write_text('#!/bin/sh\necho "NVIDIA H200, 550.54"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    finding = only(computing.check_pytorch, subject())
    assert finding.level == WARNING
    assert "is beside a GPU (NVIDIA H200, 550.54)" in finding.message
    assert "TORCH=cuda" in finding.advice


COMPUTING: list[tuple[Check, Subject, str, str]] = [
    (computing.check_pytorch, beside(H200), OK, "PyTorch 2.13.0 (CUDA 13.0)"),
    (computing.check_pytorch, beside(cuda=None), ERROR, "is beside a GPU"),
    (computing.check_pytorch, beside(), ERROR, "can use no GPU"),
    (computing.check_pytorch, beside(drivers=0, cuda=None), OK, "without CUDA"),
    (computing.check_device, beside(H200), OK, "cuda:0, NVIDIA H200, 140.0 GiB"),
    (computing.check_device, beside(H200, QWEN_DEVICE="cuda:1"), ERROR, "PyTorch sees 1 GPUs"),
    (computing.check_device, beside(), ERROR, "QWEN_DEVICE=cuda:0 is not there"),
    (computing.check_device, beside(H200, QWEN_DEVICE="cpu"), WARNING, "H200 is idle"),
    (computing.check_device, subject(), OK, "cpu, "),
    (computing.check_dtype, beside(H200), OK, "bfloat16"),
    (computing.check_dtype, beside(T4), WARNING, "Tesla T4 has no bfloat16"),
    (computing.check_dtype, beside(T4, QWEN_DTYPE="float16"), OK, "float16"),
    (computing.check_dtype, beside(H200, QWEN_DTYPE="float16"), WARNING, "smaller range"),
    (computing.check_dtype, beside(H200, QWEN_DTYPE="float32"), WARNING, "twice the memory"),
    (computing.check_dtype, subject(), OK, "float32"),
    (computing.check_dtype, subject(QWEN_DTYPE="bfloat16"), WARNING, "bfloat16 on a CPU"),
    (computing.check_attention, subject(), OK, "sdpa"),
    (computing.check_attention, beside(H200, QWEN_ATTN_IMPL="eager"), OK, "sdpa"),
    (computing.check_attention, beside(H200), WARNING, "flash-attn is not installed"),
    (computing.check_attention, beside(H200, QWEN_DTYPE="float32"), WARNING, "16 bits"),
    (computing.check_kernels, subject(), OK, "plain"),
    (computing.check_kernels, beside(H200, QWEN_KERNELS="plain"), OK, "plain"),
    (computing.check_kernels, beside(T4, QWEN_KERNELS="plain"), OK, "plain"),
    (
        computing.check_kernels,
        beside(T4),
        WARNING,
        "compute capability 8.0 is needed, and the device has 7.5",
    ),
    (computing.check_kernels, beside(), WARNING, "cuda:0 is not there"),
]


@for_each(("check", "subject", "level", "sentence"), COMPUTING)
def test_computing(check: Check, subject: Subject, level: str, sentence: str) -> None:
    finding = only(check, subject)
    assert (finding.level, sentence in finding.message) == (level, True), finding
    assert bool(finding.advice) == (level != OK)


@pytest.mark.parametrize(
    ("missing", "level", "sentence"),
    [
        ("", OK, "fused where they agree"),
        ("triton", WARNING, "Triton is not installed"),
        ("gcc", WARNING, "there is no C compiler"),
        ("Python.h", WARNING, "Python.h"),
    ],
)
def test_kernels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str, level: str, sentence: str
) -> None:
    """Triton compiles what calls the driver on the machine itself."""
    if missing != "Python.h":
        (tmp_path / "Python.h").touch()
    compiler = tmp_path / "gcc"  # it makes what can be loaded
    copies = f'for last in "$@"; do :; done; cp {_speedups.__file__} "$last"'
    compiler.write_text(f"#!/bin/sh\n{copies}\n")
    compiler.chmod(0o755)
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(sysconfig, "get_paths", lambda: {"include": str(tmp_path)})
    monkeypatch.setattr(shutil, "which", lambda name: str(compiler))
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: object() if name != missing else None
    )
    if missing == "gcc":
        monkeypatch.setattr(shutil, "which", lambda name: None)
    finding = only(computing.check_kernels, beside(H200))
    assert (finding.level, sentence in finding.message) == (level, True), finding


@pytest.mark.parametrize(
    ("content", "gpu", "level", "sentence"),
    [
        ("", H200, OK, "flash_attention_2"),
        ("", T4, WARNING, "sdpa, for flash_attention_2 cannot be used: compute capability 8.0 is"),
        ("raise ImportError('undefined symbol')", H200, ERROR, "cannot be imported: ImportError"),
    ],
)
def test_flash_attention(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: str,
    gpu: Gpu,
    level: str,
    sentence: str,
) -> None:
    """A package that is there may still not run, or be built for another PyTorch."""
    (tmp_path / "flash_attn.py").write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    finding = only(computing.check_attention, beside(gpu))
    sys.modules.pop("flash_attn", None)
    assert sentence in finding.message
    assert finding.level == level


def cut(path: Path) -> None:
    """Take the last byte away."""
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("name", "damage", "sentence"),
    [
        ("model.safetensors", cut, "model.safetensors has "),
        ("speech_tokenizer/model.safetensors", Path.unlink, "model.safetensors is missing"),
        ("config.json", lambda path: path.write_text("{}"), "does not describe a Qwen3-TTS"),
    ],
)
def test_a_damaged_checkpoint(
    tmp_path: Path, name: str, damage: Callable[[Path], object], sentence: str
) -> None:
    folder = shutil.copytree(ensure_nano("nano", DEFAULT_CACHE_DIR), tmp_path / "checkpoint")
    good = subject(QWEN_MODEL_ID=str(folder))
    assert only(checkpoints.check_files, good).level == OK
    damage(folder / name)
    finding = only(checkpoints.check_files, subject(QWEN_MODEL_ID=str(folder)))
    assert (finding.level, sentence in finding.message) == (ERROR, True)


def test_every_served_model_is_looked_at(tmp_path: Path) -> None:
    models = subject(QWEN_MODELS=f"nano-design,{tmp_path}/none")
    levels = [finding.level for finding in checkpoints.check_files(models)]
    assert levels == [OK, OK, ERROR]


def test_defaults_that_the_model_does_not_have(tmp_path: Path) -> None:
    finding = only(checkpoints.check_defaults, subject(QWEN_DEFAULT_SPEAKER="Bob"))
    assert (finding.level, "QWEN_DEFAULT_SPEAKER='Bob'" in finding.message) == (ERROR, True)
    talker = CONFIG["talker_config"] | {"spk_id": {"own": 1}, "spk_is_dialect": {}}
    folder = write_config(tmp_path, talker_config=talker)
    finding = only(checkpoints.check_defaults, subject(QWEN_MODEL_ID=str(folder)))
    assert finding.level == WARNING
    assert finding.message == "The model has no speaker Ryan; the default is Own."


def test_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Judged by what is free: for some of the utterances that are allowed, for none."""
    from qwen_tts_api.engine.memory import planning

    numbers = 8192 * checkpoints.numbers_per_position(ensure_nano("nano", DEFAULT_CACHE_DIR))
    assert only(checkpoints.check_memory, subject()).level == OK
    with monkeypatch.context() as patched:  # the figure that the plan is made of
        patched.setattr(planning, "free_host_bytes", lambda: 20 * 2**30)
        assert "18.0 GiB are free" in only(checkpoints.check_memory, subject()).message
    for rows, level in ((1.5, WARNING), (0.5, ERROR)):
        free = 4 * 9_000_000 + int(rows * 4 * numbers)
        monkeypatch.setattr(planning, "available_bytes", lambda device, free=free: free)
        finding = only(checkpoints.check_memory, subject())
        assert (finding.level, bool(finding.advice)) == (level, True), finding


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """Even if permissions say that it can: root may write anywhere but below a file."""
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file" / "cache", Path("/proc/cache")):
        [finding] = machine.check_folders(subject(QWEN_CACHE_DIR=str(folder)))
        assert (finding.level, "cannot be written" in finding.message) == (ERROR, True)
        assert "QWEN_CACHE_DIR" in finding.advice
    [finding] = machine.check_folders(subject(QWEN_CACHE_DIR=str(tmp_path / "new" / "er")))
    assert finding.level == OK
    assert not (tmp_path / "new").exists()


def test_a_disk_without_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "SMALL_BYTES", 10**18)
    [finding] = machine.check_folders(subject(QWEN_CACHE_DIR=str(tmp_path)))
    assert (finding.level, "GB free, of" in finding.message) == (ERROR, True)


def test_shared_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place, level in ((tmp_path, OK), (tmp_path / "none", OK), (Path("/proc"), ERROR)):
        monkeypatch.setattr(machine, "SHARED_MEMORY", place)
        assert only(machine.check_shared_memory, subject()).level == level


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.mark.parametrize("name", ["QWEN_BIND", "QWEN_OPS_BIND"])
def test_a_port_that_is_taken(name: str) -> None:
    others = {"QWEN_BIND": f"127.0.0.1:{free_port()}", "QWEN_OPS_BIND": "off"}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        findings = list(machine.check_port(subject(**others | {name: address})))
    [taken] = [finding for finding in findings if finding.level == ERROR]
    assert f"{name}={address} cannot be listened on: Address already in use." in taken.message
    assert [f.level for f in machine.check_port(subject(**others | {name: address}))] == [
        OK for _ in findings
    ]


@pytest.mark.parametrize(
    ("soft", "hard", "level", "words"),
    [
        (1024, 1024, OK, "1024 may be open: room for 832 connections, and 64 on the ops port"),
        (1024, 4096, OK, "4096 may be open: room for 3904 connections"),
        (1024, resource.RLIM_INFINITY, OK, "10192 may be open: room for 10000 connections"),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, OK, "any number may be open: room for"),
        (200, 200, ERROR, "ulimit -n 432"),
    ],
)
def test_open_files(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, level: str, words: str
) -> None:
    """For as many threads as requests may run and wait, under the limit that the server raises."""
    monkeypatch.setattr(resource, "getrlimit", lambda which: (soft, hard))
    finding = only(machine.check_open_files, subject())
    assert finding.level == level
    assert words in f"{finding.message} {finding.advice}"


def test_an_encoder_that_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """By raising, by silence, by half of the audio."""
    assert only(encoders.check_encoders, subject()).message == ", ".join(audio.FORMATS)
    wav = ENCODERS["wav"]

    def fail(samples: Samples, rate_hz: int) -> bytes:
        raise OSError("libsndfile.so.1")

    for encode, sentence in (
        (fail, "OSError('libsndfile.so.1')"),
        (lambda samples, rate_hz: wav.encode(0 * samples, rate_hz), "became silence"),
        (lambda samples, rate_hz: wav.encode(samples[:9600], rate_hz), "became 0.40 s"),
    ):
        broken: Any = SimpleNamespace(stream=wav.stream, encode=encode)
        monkeypatch.setitem(ENCODERS, "wav", broken)
        finding = only(encoders.check_encoders, subject())
        assert (finding.level, sentence in finding.message) == (ERROR, True)


def test_a_file_of_keys_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("short")
    finding = only(installation.check_settings, subject(QWEN_API_KEYS_FILE=str(tmp_path / "keys")))
    assert (finding.level, "QWEN_API_KEYS_FILE=" in finding.message) == (ERROR, True)


def test_settings_are_read_one_by_one() -> None:
    """All that are wrong are named; the others hold."""
    wrong = subject(QWEN_MAX_QUEUE="0", QWEN_LOG_LEVEL="LOUD", QWEN_MAX_STREAMS="3")
    assert len(list(installation.check_settings(wrong))) == 2
    assert (wrong.config.max_streams, wrong.config.max_queue) == (3, 64)

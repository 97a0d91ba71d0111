"""`bench.gpu`: its figures on a CPU, and what is left of them when something fails or ends it."""

from __future__ import annotations

import argparse
import io
import json
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from bench import aims, gpu, gpu_diagnosis, gpu_part, nvidia, parts
from bench.codec_noise import signal_to_noise
from bench.company import run_company
from bench.engine_speed import fail
from bench.figures import STATE, Figures
from bench.gpu_options import add_measuring_options
from bench.gpu_table import read_results, write_table
from bench.http_streams import run_arrivals, run_clients
from bench.parts import Outcome, Part, run_parts
from bench.playback import Playback, summary
from bench.prefill_speed import ROUNDS, beginnings
from bench.server import Server
from qwen_tts_api.checkpoints.checkpoint import Checkpoint
from qwen_tts_api.checkpoints.nano import SPEAKING_FOLDER
from qwen_tts_api.engine.scheduler import Scheduler
from qwen_tts_api.model.loaded import LoadedModel
from qwen_tts_api.model.weights.placement import Placement
from tests.fakes import FakeRunner

ROOT = Path(__file__).resolve().parent.parent
QUICK = ["--device=cpu", "--frames=3", "--streams=1,2", "--burst=3", "--rates=20"]
QUICK += ["--open-loop-s=0.2", "--http-streams=1,2"]


@pytest.mark.bench
def test_all_of_the_engine_but_what_only_a_gpu_has_is_measured_on_a_cpu(tmp_path: Path) -> None:
    """Into a folder that is not there yet."""
    out = tmp_path / "not" / "there"
    where = ["--size=nano", f"--checkpoint={tmp_path / 'nano'}", f"--out={out}"]
    assert gpu_part.main(["graphs", *where, *QUICK]) == 0
    assert gpu_part.main(["eager", *where, *QUICK]) == 0
    assert gpu_part.main(["plain", *where, *QUICK]) == 0
    result = read_results(out)["nano"]["result"]
    assert result["graphs"]["1 stream"]["requests"] == 8
    assert result["graphs"]["2 streams"]["frames"] == 4 * 2 * 3
    assert result["eager"]["1 stream"]["x"] > 0
    assert result["burst"]["3 at once"]["requests"] == 3
    prompts = result["prefill, plain"]
    assert prompts["3 prompts, a known beginning"]["positions"] > 3 * 60
    assert result["open loop"]["20 a second"]["requests"] == 4
    company = result["alone as in company"]["2 streams"]
    assert (company["compared"], company["frames"]) == (2, 3)
    assert result["GPU"]["bandwidth"]["frame_gb"] > 0


def test_what_was_heard_is_summed_up() -> None:
    """Of two waits the longer is the 95th percentile; a pause is counted once."""
    soon, late = Playback(asked_at=0.0), Playback(asked_at=1.0)
    for piece in range(3):
        soon.hear(2400, now=0.1 + 0.05 * piece)
    late.hear(2400, now=1.5)
    late.hear(2400, now=1.7)
    assert summary([soon, late], seconds=2.0) == {
        "requests": 2,
        "x": 0.25,
        "first_audio_p50_ms": 300.0,
        "first_audio_p95_ms": 500.0,
        "underruns": 1,
    }


@pytest.mark.bench
def test_clients_over_http_hear_every_frame(server: Server) -> None:
    """As often as asked, together."""
    result = run_clients(server, 2, rounds=2, frames=3)
    assert result["requests"] == 4
    assert result["x"] > 0
    assert 0 < result["first_audio_p50_ms"] <= result["first_audio_p95_ms"]
    arriving = run_arrivals(server, 20, 0.2, frames=3)
    assert arriving["requests"] == 4
    assert arriving["first_audio_p95_ms"] > 0


def test_a_new_beginning_is_known_to_no_other_measurement() -> None:
    """What is known is always the same."""
    instructs = {
        (count, known): {prompt.instruct for prompt in beginnings(count, known=known)}
        for count in (1, 64)
        for known in (False, True)
    }
    assert instructs[1, True] == instructs[64, True]
    assert len(instructs[1, True]) == 1
    assert len(instructs[1, False] | instructs[64, False]) == 2 * (1 + ROUNDS)


def test_an_utterance_is_compared_alone_and_in_company() -> None:
    """What depends on the slot is not the same; the first one has the same slot in both."""
    exact = run_company(Scheduler(FakeRunner(max_slots=8), fail), 5, frames=4)
    assert exact == {"compared": 3, "same": 3, "same_frames": 4, "frames": 4}


@pytest.mark.slow
def test_what_rounding_does_to_a_codec_s_samples() -> None:
    """In 16 bits 20 dB below them, as the documents say; in 32 bits almost nothing."""
    noise = {}
    for dtype in ("float32", "bfloat16"):
        placement = Placement("cpu", dtype, "sdpa")
        model = LoadedModel.load(Checkpoint.read(SPEAKING_FOLDER), placement)
        noise[dtype] = signal_to_noise(model.codec, None)["plain_db"]
    assert noise["float32"] > 80
    assert 10 < noise["bfloat16"] < 40


@pytest.mark.bench
def test_a_run_that_is_ended_leaves_what_it_measured(tmp_path: Path) -> None:
    """With a table of it, and no process."""
    command = [sys.executable, "-m", "bench.gpu", f"--out={tmp_path}", "--size=nano", *QUICK]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    seen = next(line for line in process.stdout if "graphs, 1 stream" in line)
    process.send_signal(signal.SIGTERM)
    rest = process.stdout.read()
    process.stdout.close()
    assert process.wait(60) == 128 + signal.SIGTERM
    figures = read_results(tmp_path)["nano"]["result"]["graphs"]["1 stream"]
    assert json.dumps(figures) in seen
    assert f"| graphs, 1 stream | {figures['x']} |" in rest
    assert "| nano: graphs | not ended | |" in (tmp_path / "gpu.md").read_text()


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_part_that_fails_or_hangs_costs_the_others_nothing() -> None:
    """What one does not need of the time, the others get; what it left running is ended."""
    orphan = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'input()'])"
    parts = [
        Part("fails", python("print('so far'); raise SystemExit(3)"), 1),
        Part("is killed", python("import os; os.kill(os.getpid(), 9)"), 1),
        Part("leaves a child", python(orphan), 1),
        Part("hangs", python("import time; time.sleep(600)"), 0.01),
        Part("works", python("print('at last')"), 1),
    ]
    log = io.StringIO()
    outcomes = list(run_parts(parts, 40, log))
    assert [outcome.ending for outcome in outcomes] == [
        "failed with status 3",
        "failed with status -9",
        "passed",
        "cut off",
        "passed",
    ]
    assert [outcome.last_words for outcome in outcomes] == ["so far", "", "", "", ""]
    assert "so far" in log.getvalue()
    assert "at last" in log.getvalue()


def test_a_part_that_hangs_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that answers SIGTERM; and one that waits in C, as for a device, and cannot."""
    monkeypatch.setattr(parts, "SIGNALS", dict.fromkeys(parts.SIGNALS, 3.0))
    hangs = (
        "\ndef waits_for_ever():\n    time.sleep(600)\nprint('begun', flush=True)\nwaits_for_ever()"
    )
    handles = "import signal, time\nfrom bench.parts import say_where\n"
    handles += "signal.signal(signal.SIGTERM, say_where)"
    ignores = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)"
    log = io.StringIO()
    outcomes = run_parts(
        [Part("handles", python(handles + hangs), 1), Part("ignores", python(ignores + hangs), 1)],
        6,
        log,
    )
    assert [outcome.ending for outcome in outcomes] == ["cut off", "cut off"]
    handled, ignored = log.getvalue().split("== ignores: at most")
    assert "in waits_for_ever" in handled
    assert "Fatal Python error: Aborted" in ignored
    assert "in waits_for_ever" in ignored


def test_a_folder_that_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "out"
    command = [sys.executable, "-m", "bench.gpu", f"--out={out}", "--size=nano", *QUICK]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == f"error: {out} cannot be written: Not a directory\n"


def test_what_another_size_would_tell_again_is_measured_once(tmp_path: Path) -> None:
    """What is most of interest comes first, and is of both."""
    parser = argparse.ArgumentParser()
    gpu.add_session_options(parser)
    options = parser.parse_args(["--size=0.6b", "--size=nano"], argparse.Namespace(out=tmp_path))
    names = [part.name for part in gpu.parts_of(options, tmp_path)]
    first = [name.removeprefix("0.6b: ") for name in names if name.startswith("0.6b: ")]
    assert first == list(gpu.SHARES)
    assert set(first) == {*gpu_part.PARTS, "diagnosis"}
    rest = ["nano: graphs", "nano: http", "nano: upstream", "nano: faster-qwen3-tts", "picture"]
    assert names[len(first) :] == rest


USED = dict.fromkeys(gpu_diagnosis.PARTS, "fused")


@pytest.mark.parametrize(
    ("used", "graphs", "suspects"),
    [
        (USED, {"x": 30.0}, []),
        (USED | {"codec": "plain", "codec left out": "Differs"}, {"x": 30.0}, ["codec"]),
        (USED, {"not measured": "AcceleratorError: an illegal memory access"}, [*USED]),
        ({}, {}, [*USED]),
    ],
)
def test_what_went_well_is_not_diagnosed(
    tmp_path: Path, used: dict[str, str], graphs: dict[str, object], suspects: list[str]
) -> None:
    """A crash before any figure is the worst of all."""
    figures = Figures("1.7b", tmp_path)
    figures.add("model", "kernels, auto", {**used, "comparing_s": 3.0})
    figures.add("graphs", "1 stream", graphs)
    assert gpu_diagnosis.suspects(tmp_path, "1.7b") == suspects
    assert gpu_diagnosis.suspects(tmp_path, "0.6b") == [*USED]


def test_a_kernel_that_fails_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that agrees is not; without a GPU each comparison fails, with its traceback."""
    watcher = tmp_path / "compute-sanitizer"
    watcher.write_text(f"#!/bin/sh\necho $PYTORCH_NO_CUDA_MEMORY_CACHING $* >>{tmp_path}/watched\n")
    watcher.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    options = [f"--checkpoint={tmp_path / '1.7b'}", f"--out={tmp_path}", "--size=nano"]
    assert gpu_diagnosis.main([*options, "--device=cuda:0"]) == 0
    lines = (tmp_path / "watched").read_text().splitlines()
    assert [line.split()[4] for line in lines] == ["--part=frame", "--part=codec", "--part=prefill"]
    assert all(line.startswith("1 ") and "nano-watched" in line for line in lines)


def test_no_gpu_is_said_once(tmp_path: Path) -> None:
    """Instead of by each part."""
    command = [sys.executable, "-m", "bench.gpu", f"--out={tmp_path / 'out'}", "--device=cuda:9"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "QWEN_DEVICE=cuda:9 is not there" in done.stderr
    assert not (tmp_path / "out").exists()


def smi(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Have a shell script for nvidia-smi, and a device for it."""
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    properties = SimpleNamespace(uuid="12-34")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)


@pytest.mark.parametrize("name", ["GPU-12-34", "0"])
def test_clocks_are_kept_beside_the_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Of the device that computes, by either name; the table has the slowest and the fastest."""
    smi(tmp_path, monkeypatch, f'test "$1" = --id={name} && echo "1980, 3201, [N/A], 34, 0x00"')
    figures = Figures("1.7b", tmp_path, lambda: nvidia.state(0))
    figures.measure("graphs", "1 stream", lambda: {"x": 30.0})
    assert read_results(tmp_path)["1.7b"]["result"]["graphs"]["1 stream"][STATE] == {
        "sm_mhz": 1980,
        "memory_mhz": 3201,
        "power_w": "[N/A]",
        "celsius": 34,
        "slowed_by": "0x00",
    }
    assert "- clock: 1980 to 1980 MHz, slowed by 0x00\n" in write_table(tmp_path, [], [])


@pytest.mark.parametrize("script", ["echo No devices were found", "exit 1", "exec sleep 60"])
def test_a_driver_that_says_nothing_costs_no_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    monkeypatch.setattr(nvidia, "TIMEOUT_S", 0.3)
    smi(tmp_path, monkeypatch, script)
    assert nvidia.state(0) == {}
    assert isinstance(nvidia.overview(), str)


def test_what_the_driver_has_logged_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    smi(tmp_path, monkeypatch, "echo 'H200, 1 error'")
    log = tmp_path / "dmesg"
    log.write_text("#!/bin/sh\necho 'eth0: up'\necho 'NVRM: Xid (PCI:0000:01): 31, pid=1'\n")
    log.chmod(0o755)
    assert nvidia.overview() == "H200, 1 error\nNVRM: Xid (PCI:0000:01): 31, pid=1\n"


def test_aims_stand_beside_what_was_measured(tmp_path: Path) -> None:
    """Of the size that they are for; by the options' defaults there is a row for each of them."""
    figures = Figures("1.7b", tmp_path)
    figures.add("graphs", "1 stream", {"x": 29.9, "first_audio_p50_ms": 12.0})
    table = write_table(tmp_path, [], [])
    assert "| graphs, 1 stream: x at least 30 | 29.9 | missed |\n" in table
    assert "| graphs, 1 stream: first_audio_p50_ms at most 12 | 12.0 | reached |\n" in table
    assert "| HTTP, start: ready_s at most 30 | not measured |  |\n" in table
    parser = argparse.ArgumentParser()
    add_measuring_options(parser)
    options = parser.parse_args([])
    for aim in aims.AIMS:
        number = aim.row.split()[0]
        measured = {
            "graphs": options.streams,
            "open loop": options.rates,
            "burst": [options.burst],
            "alone as in company": [options.burst],
            "HTTP": [*options.http_streams, "start"],
            "HTTP open loop": options.http_rates,
        }[aim.group]
        assert number in {str(each).removesuffix(".0") for each in measured}


def test_no_time_is_left_for_parts_after_the_end() -> None:
    """They are named all the same."""
    late = Part("late", python("import time; time.sleep(600)"), 1)
    [outcome] = run_parts([late], 0, io.StringIO())
    assert outcome.ending == "cut off"


def test_figures_are_on_the_disk_as_they_come(tmp_path: Path) -> None:
    """A second process adds to them; what cannot be measured says why."""
    Figures("nano", tmp_path).add("graphs", "1 stream", {"x": 2.5})
    figures = Figures("nano", tmp_path)
    figures.measure("graphs", "8 streams", lambda: {"x": 1 / 0})
    assert figures.failed
    assert read_results(tmp_path)["nano"]["result"]["graphs"] == {
        "1 stream": {"x": 2.5},
        "8 streams": {"not measured": "ZeroDivisionError: division by zero"},
    }


@pytest.mark.bench
def test_half_of_the_figures_make_a_table_and_a_picture(tmp_path: Path) -> None:
    from bench.plot import plot  # matplotlib: a second of everyone who collects the tests

    for size in ("1.7b", "0.6b"):
        figures = Figures(size, tmp_path)
        figures.add("model", "placement", {"dtype": "bfloat16", "attention": "sdpa"})
    figures.add("graphs", "8 streams", {"x": 2.5, "first_audio_p50_ms": 7.0})
    parts = [Part("first", [], 1), Part("second", [], 1)]
    table = write_table(tmp_path, parts, [Outcome("first", "cut off", 1.5, "a | b")])
    assert "| graphs, 8 streams | 2.5 |  | 7.0 |  |  |\n" in table
    assert table.index("## 1.7b") < table.index("## 0.6b")
    assert table.endswith("| first | cut off: a / b | 1.5 |\n| second | not ended | |\n")
    results = read_results(tmp_path)
    plot({size: each["result"] for size, each in results.items()}, tmp_path / "gpu.png")
    assert (tmp_path / "gpu.png").read_bytes()[1:4] == b"PNG"

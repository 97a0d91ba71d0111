"""`bench.gpu`: its figures on a CPU, and what is left of them when something fails or ends it."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench import gpu_part
from bench.figures import Figures
from bench.gpu_table import read_results, write_table
from bench.http_streams import run_clients
from bench.parts import Outcome, Part, run_parts
from bench.playback import Playback, summary
from bench.server import Server

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

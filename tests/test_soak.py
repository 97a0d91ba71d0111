"""A short soak, always the same; and that a soak would see what it looks for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.soak.__main__ import soak
from bench.soak.clients.bombs import bombs
from bench.soak.crowd import ACTS
from bench.soak.life import Level
from bench.soak.outages import Outages
from bench.soak.report import growth, table
from bench.soak.target import TEXTS, Target
from qwen_tts_api.errors import InvalidAudio
from qwen_tts_api.service.voices.recording import read_recording


@pytest.mark.bench
@pytest.mark.timeout(900)  # two starts of a server, and of a fuzzer: on a busy machine, minutes
def test_ten_seconds_of_everything(tmp_path: Path) -> None:
    """Nobody gets a wrong answer, while calls fail and the device is lost.

    How long answers take is measured by `make soak` alone: others use this machine, too.
    """
    result = soak(tmp_path, seconds=10, clients=6, faults=0.03, deaths=1, seed=1, rounds=1, seeds=1)
    log = "".join(path.read_text() for path in tmp_path.glob("log*"))
    assert result["lost_or_wrong"] == 0, "\n".join([*result["wrong"], log[-20_000:]])
    assert result["wrong_exit_codes"] == []
    assert result["deaths"] == {"lost device": 1}
    assert any(fault.endswith("OutOfMemoryError") for fault in result["faults_by_stage"])
    assert any(fault.endswith("AcceleratorError") for fault in result["faults_by_stage"])
    assert result["answers"]["200"] > 0
    assert result["fuzzed"]["requests"] > 0
    assert result["probes"] > 0
    assert {act.partition(":")[0] for act in result["acts"]} <= {
        *(act.__name__ for act, _ in ACTS),
        "fuzzer",
        "mob",
    }
    assert sum(count for act, count in result["acts"].items() if act.startswith("mob: ")) > 20
    assert "lost or wrong     0" in table(result)


@pytest.fixture
def target() -> Target:
    """Return one that knows what a text should sound like."""
    target = Target("", ("", 0), faults=True)
    samples = np.random.default_rng(0).integers(-9999, 9999, 4 * 1920, dtype=np.int16)
    target.expected[TEXTS[0], 0, "Ryan"] = samples.tobytes()
    return target


def test_a_wrong_answer_is_seen(target: Target) -> None:
    """Cut, empty, somebody else's; rounding is no fault, and neither is what comes after it."""
    wanted = (TEXTS[0], 0, "Ryan")
    right = target.expected[wanted]
    samples = np.frombuffer(right, "<i2")
    rounded, diverging, foreign = samples + 1, samples.copy(), samples.copy()
    diverging[3000:] = 0
    foreign[100:] = 0
    judged = {
        "right": right,
        "rounded": diverging.tobytes(),
        "BAD length": right[:-2],
        "BAD audio": foreign.tobytes(),
    }
    for word, data in judged.items():
        assert target.judge(wanted, data) == word
    assert target.judge(wanted, rounded.tobytes()) == "right"
    assert target.judge(wanted, b"") == "BAD length"
    assert target.judge(wanted, right + right[:100]) == "BAD length"


def test_every_bomb_is_one() -> None:
    """Refused for what it is, and not for its size."""
    for name, data in bombs().items():
        try:
            read_recording(data, 10_485_760)
        except InvalidAudio:
            continue
        pytest.fail(f"{name} was read")


def test_only_what_broke_in_an_outage_is_excused() -> None:
    outages = Outages()
    assert not outages.excuse(0.0)
    with outages.one():
        assert outages.now
        assert outages.excuse(10.0**12)
    assert not outages.now
    assert outages.excuse(0.0)
    assert not outages.excuse(10.0**12)


def test_growth_is_seen_once_a_life_has_settled() -> None:
    """Of memory, threads and descriptors, in its last round."""
    grown = [Level(0, 900, 30, 20), Level(0, 1200, 40, 30)]
    settled = [Level(1, 900, 30, 20), Level(1, 1200, 40, 30), Level(1, 1210, 41, 31)]
    assert growth([*grown, *settled]) == []
    assert growth([*settled, Level(1, 1300, 41, 31)]) == ["memory grew from 1210 to 1300 MB"]
    assert growth([*settled, Level(1, 1210, 50, 31)]) == ["threads grew from 41 to 50"]
    assert growth([*settled, Level(1, 1210, 41, 40)]) == ["descriptors grew from 31 to 40"]

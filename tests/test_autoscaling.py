"""The autoscaler's formula with the overlay's numbers, over days of load.

What the horizontal pod autoscaler does with an external metric of the type AverageValue, by
Kubernetes' documentation ("Algorithm details"): every 15 s it takes `ceil(metric / threshold)`
replicas, unless the present number is within 10 % of that; of what was recommended in the
scale-down's stabilization window it takes the largest.
"""

from __future__ import annotations

import itertools
import math
import random
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

OVERLAY = Path(__file__).resolve().parent.parent / "deploy" / "overlays" / "replicas"
SYNC_S = 15
TOLERANCE = 0.1
SLOTS, QUEUE = 32, 64  # QWEN_MAX_STREAMS, QWEN_MAX_QUEUE
START_S = 240  # until a new pod has its GPU, its image and its model
DAY_S = 86_400

Load = Callable[[float], float]
"""Utterances that callers want to hear at a time of the day (s)."""


@dataclass(frozen=True)
class Moment:
    """What was seen at one time."""

    time_s: float
    replicas: int
    waiting: float


def scaled_object() -> dict[str, Any]:
    specification: dict[str, Any] = yaml.safe_load((OVERLAY / "scaledobject.yaml").read_text())
    return specification["spec"]  # type: ignore[no-any-return]


def evaluate(query: str, running: float, waiting: float, slots: float) -> float:
    """Return what Prometheus answers where all pods are equal."""
    totals = {"running": running, "waiting": waiting}
    query = re.sub(
        r"\bavg\(sum by \(pod\) \(qwen_tts_slots\)\)",
        str(slots),
        re.sub(r"\bsum\(qwen_tts_(running|waiting)\)", lambda m: str(totals[m[1]]), query),
    )
    assert re.fullmatch(r"[\d.e+*/() -]+", query), f"no formula that is known here: {query}"
    return float(eval(query))


def simulate(load: Load, seconds: float, *, slots: int = SLOTS) -> list[Moment]:
    """Let the autoscaler run, beginning with the least replicas."""
    specification = scaled_object()
    [trigger] = specification["triggers"]
    assert trigger["metadata"].get("metricType", "AverageValue") == "AverageValue"
    threshold = float(trigger["metadata"]["threshold"])
    behavior = specification["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behavior == {"scaleDown": {"stabilizationWindowSeconds": 900}}, "not simulated here"
    window = behavior["scaleDown"]["stabilizationWindowSeconds"] // SYNC_S
    least, most = specification["minReplicaCount"], specification["maxReplicaCount"]
    replicas = least
    ready_at = [0.0] * least
    recommended: deque[int] = deque(maxlen=window)
    seen = []
    for time_s in range(0, int(seconds), SYNC_S):
        ready = sum(at <= time_s for at in ready_at)
        wanted = load(time_s)
        running = min(wanted, ready * slots)
        waiting = min(wanted - running, ready * QUEUE)
        metric = evaluate(trigger["metadata"]["query"], running, waiting, slots)
        desired = replicas
        if abs(metric / (threshold * replicas) - 1) > TOLERANCE:
            desired = math.ceil(metric / threshold)
        recommended.append(min(max(desired, least), most))
        desired = recommended[-1] if recommended[-1] > replicas else max(recommended)
        replicas = min(replicas, desired) if desired < replicas else desired
        ready_at = ready_at[:replicas] + [time_s + START_S] * (replicas - len(ready_at))
        seen.append(Moment(time_s, replicas, waiting))
    return seen


def changes(moments: list[Moment]) -> int:
    return sum(a.replicas != b.replicas for a, b in itertools.pairwise(moments))


def with_noise(mean: Load, seed: int) -> Load:
    """Return a load of independent callers: it varies by the square root of its mean."""
    rng = random.Random(seed)
    return lambda time_s: max(0.0, rng.gauss(mean(time_s), math.sqrt(mean(time_s))))


@pytest.mark.slow
@pytest.mark.parametrize("utterances", [1, 20, 40, 70, 90, 110, 150, 180, 250])
def test_a_constant_load_has_a_constant_number_of_replicas(utterances: int) -> None:
    """Once there are enough; nothing waits then, unless all replicas are not enough."""
    moments = simulate(lambda _: utterances, DAY_S)[SYNC_S * 4 :]
    assert len({moment.replicas for moment in moments}) == 1
    if utterances <= 8 * SLOTS * 0.75:
        assert moments[0].waiting == 0
        assert moments[0].replicas == max(2, math.ceil(utterances / SLOTS / 0.75))


@pytest.mark.parametrize("utterances", [40, 70, 110, 150])
def test_chance_in_the_load_does_not_flap(utterances: int) -> None:
    """A pod more or less, a few times a day."""
    moments = simulate(with_noise(lambda _: utterances, utterances), DAY_S)[SYNC_S * 4 :]
    numbers = {moment.replicas for moment in moments}
    assert max(numbers) - min(numbers) <= 1
    assert changes(moments) <= 24


def test_replicas_follow_the_day() -> None:
    """Two at night; enough by noon, with nobody waiting but while a pod starts."""

    def office_hours(time_s: float) -> float:
        return 4 + 170 * max(0.0, math.sin((time_s / DAY_S - 0.25) * 2 * math.pi)) ** 2

    moments = simulate(with_noise(office_hours, 1), DAY_S)
    assert moments[0].replicas == 2
    assert moments[-1].replicas == 2
    assert max(moment.replicas for moment in moments) == 8
    assert sum(moment.waiting > 0 for moment in moments) * SYNC_S < 300
    assert changes(moments) <= 20


def test_a_sudden_crowd_is_answered_by_as_many_pods_as_it_needs_at_once() -> None:
    """And while they start, their number does not grow any more."""
    moments = simulate(lambda time_s: 20 if time_s < 3600 else 120, 7200)
    after = [moment.replicas for moment in moments if moment.time_s >= 3600 + 2 * SYNC_S]
    assert set(after) == {5}


def test_cards_of_another_size_scale_alike() -> None:
    """Memory may hold fewer slots than QWEN_MAX_STREAMS."""
    assert simulate(lambda _: 30, 3600, slots=8)[-1].replicas == 5


def test_an_apply_does_not_reset_the_number_of_replicas() -> None:
    """The overlay takes the base's out."""
    patch = yaml.safe_load((OVERLAY / "deployment.yaml").read_text())
    assert patch["spec"]["replicas"] is None

"""Slots are planned for what computing leaves, which is measured: on a device made of numbers."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from qwen_tts_api.checkpoints.card import locate
from qwen_tts_api.checkpoints.checkpoint import Checkpoint
from qwen_tts_api.engine import loading
from qwen_tts_api.engine.memory import fitting, planning
from qwen_tts_api.engine.memory.fitting import fit_runner
from qwen_tts_api.engine.memory.planning import (
    Costs,
    MemoryPlan,
    WorkingMemory,
    costs_of,
    plan_memory,
    size_that_fits,
)
from qwen_tts_api.engine.memory.profiling import TRIAL_SLOTS, measure_working_memory
from qwen_tts_api.engine.memory.release import empty_caches, release_memory
from qwen_tts_api.errors import LoadError
from qwen_tts_api.model.loaded import LoadedModel
from qwen_tts_api.model.talker_cache import CacheSize
from qwen_tts_api.model.weights.placement import Placement, place

MIB = 2**20
POSITIONS = 512

NO_GRAPH = torch.AcceleratorError("CUDA error: out of memory")
"""What is said where the driver has no memory for a graph."""


class Device:
    """Memory as numbers: what kernels take once, and what a runner's slots and work take."""

    def __init__(self, free: int, slot: int, *, fixed: int, each: int, graphs: int = 0) -> None:
        self.free = self.total = free
        self.slot, self.fixed, self.each, self.graphs = slot, fixed, each, graphs
        self.kernels = 300 * MIB
        self.made: list[int] = []
        self.least_free = free

    def take(self, amount: int) -> None:
        self.free -= amount
        self.least_free = min(self.least_free, self.free)
        if self.free < 0:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    def make(self, num_slots: int, held: int | None = None) -> Any:
        self.made.append(num_slots)
        return Runner(self, num_slots, num_slots * self.slot if held is None else held)


class Runner:
    """Takes memory where a model runner does."""

    def __init__(self, device: Device, num_slots: int, held: int) -> None:
        self.max_slots = num_slots
        self._device = device
        self._before = device.free
        device.take(held)

    def run_largest(self) -> None:
        kernels, self._device.kernels = self._device.kernels, 0
        self._before -= kernels
        self._device.take(kernels + self._device.fixed + self.max_slots * self._device.each)

    def capture(self, num_slots: int) -> None:
        assert num_slots == 1
        self._device.take(self._device.graphs)

    def warm_up(self) -> None:
        """Capture everything: for 1, 2, 4, ... slots and for all of them."""
        self.run_largest()
        for _ in range((self.max_slots - 1).bit_length() + 1):
            self.capture(1)

    def close(self) -> None:
        self._device.free = self._before


def measure(device: Device, max_slots: int, num_slot_buckets: int = 7) -> WorkingMemory:
    return measure_working_memory(
        device.make,
        lambda: device.free,
        lambda num_slots: num_slots * device.slot,
        max_slots,
        num_slot_buckets,
    )


def test_what_is_fixed_and_what_each_slot_takes() -> None:
    """Of slots themselves nothing is counted, nor of what stays once it is there."""
    device = Device(10_000 * MIB, 100 * MIB, fixed=900 * MIB, each=50 * MIB)
    assert measure(device, 64) == WorkingMemory(900 * MIB, 50 * MIB)
    assert device.made == [TRIAL_SLOTS, 1, TRIAL_SLOTS]
    assert device.free == 9_700 * MIB


def test_every_graph_is_counted() -> None:
    """Those of one slot as often as there are numbers of slots that are captured."""
    device = Device(10_000 * MIB, 100 * MIB, fixed=900 * MIB, each=50 * MIB, graphs=20 * MIB)
    assert measure(device, 64, 7) == WorkingMemory(1_040 * MIB, 50 * MIB)


@pytest.mark.parametrize(("free", "max_slots"), [(3_000, 64), (20_000, 1)])
def test_a_single_slot_is_the_measure_of_others(free: int, max_slots: int) -> None:
    """Where no other fits into half of the memory, or is asked for."""
    device = Device(free * MIB, 1_400 * MIB, fixed=700 * MIB, each=50 * MIB)
    assert measure(device, max_slots) == WorkingMemory(0, 750 * MIB)
    assert device.made == [1, 1]


def test_a_trial_that_fails_is_closed() -> None:
    device = Device(1_000 * MIB, 100 * MIB, fixed=900 * MIB, each=0)
    with pytest.raises(torch.OutOfMemoryError):
        measure(device, 64)
    assert device.free == 700 * MIB


@pytest.fixture(scope="module")
def model(nano_cache: Path) -> LoadedModel:
    """Return a miniature model that says that it is on a GPU."""
    folder = locate("nano", nano_cache)
    loaded = LoadedModel.load(Checkpoint.read(folder), place("cpu", "float32", "sdpa"))
    return replace(loaded, placement=Placement("cuda:0", "float32", "sdpa"))


Fit = Callable[[Device, int], Any]


@pytest.fixture
def fit(model: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> Fit:
    """Return what fits a runner into a device made of numbers."""

    def fit(device: Device, max_slots: int) -> Any:
        monkeypatch.setattr(planning, "free_bytes", lambda name: (device.free, device.total))
        make: Any = lambda plan: device.make(plan.max_slots, plan.costs.of(plan.size))  # noqa: E731
        plan = partial(plan_memory, model, max_slots, POSITIONS)
        return fit_runner(plan, make, lambda runner: runner.warm_up(), lambda doing: None)

    return fit


def device_of(model: LoadedModel, free_slots: float, **working: int) -> Device:
    slot = slot_bytes(model)
    return Device(int(free_slots * slot), slot, **working)


def slot_bytes(model: LoadedModel) -> int:
    """Return what a slot takes with pages for all its positions."""
    one = CacheSize.whole(1, POSITIONS)
    costs = costs_of(model, one)
    return costs.slot_bytes + one.num_pages * costs.page_bytes


def test_slots_leave_room_for_what_was_measured(model: LoadedModel, fit: Fit) -> None:
    """As many as fit with their graphs and workspaces, and no more; 5 % are left alone."""
    slot = slot_bytes(model)
    device = device_of(model, 100, fixed=9 * slot, each=slot // 2, graphs=slot)
    device.kernels = 2 * slot
    runner = fit(device, 128)
    # 100 - 5 left alone - 2 of kernels - 9 fixed - 8 sets of graphs, for slots of 1.5
    assert runner.max_slots == 50
    assert device.made == [TRIAL_SLOTS, 1, TRIAL_SLOTS, 50]
    assert device.least_free > 0


def test_what_the_loading_has_left_is_not_taken(
    model: LoadedModel, fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyTorch keeps it for tensors to come: no model is refused for what compared its kernels."""
    device = device_of(model, 10, fixed=0, each=0)
    device.kernels, device.free = 0, 0

    def empty_caches() -> None:
        device.free = device.total

    monkeypatch.setattr(fitting, "empty_caches", empty_caches)
    assert fit(device, 4).max_slots == 4


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory."), NO_GRAPH], ids=["tensor", "graph"]
)
def test_slots_are_halved_until_they_fit(
    model: LoadedModel, fit: Fit, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """Where a larger batch takes more than smaller ones let expect."""
    device = device_of(model, 100, fixed=0, each=0)
    device.kernels = 0

    class Surprising(Runner):
        def warm_up(self) -> None:
            if self.max_slots > 20:
                self.close()
                raise error

    device.make = lambda slots, held: Surprising(device, slots, held)  # type: ignore
    assert fit(device, 64).max_slots == 16
    assert "out of memory with 64 utterances at once" in caplog.text


def test_not_even_one_slot(model: LoadedModel, fit: Fit) -> None:
    """SegmentText with what would help, whether it is planned or found out."""
    with pytest.raises(LoadError, match="QWEN_MAX_POSITIONS"):
        fit(device_of(model, 30, fixed=0, each=29 * slot_bytes(model)), 8)
    with pytest.raises(LoadError, match="QWEN_MAX_POSITIONS"):
        fit(device_of(model, 2, fixed=10**12, each=0), 8)


def test_one_slot_is_measured_where_a_few_do_not_fit(model: LoadedModel, fit: Fit) -> None:
    """A model is not refused because the trial took more than serving would."""
    slot = slot_bytes(model)
    device = device_of(model, 15, fixed=0, each=2 * slot)
    device.kernels = 0
    assert fit(device, 64).max_slots == 4
    assert device.made == [TRIAL_SLOTS, 1, 1, 4]


@pytest.mark.parametrize("costs", [Costs(0, 90), Costs(7, 90), Costs(900, 90)])
def test_slots_and_pages_are_as_many_as_fit(costs: Costs) -> None:
    """One utterance can have all its positions; no page is left that a slot could have."""
    for free in range(0, 40_000, 531):
        for slots in (1, 5, 32):
            for positions in (48, 8192):
                assert_fits(free, costs, CacheSize.whole(slots, positions))


def assert_fits(free: int, costs: Costs, wanted: CacheSize) -> None:
    size = size_that_fits(free, costs, wanted)
    if size.max_slots == 0:
        assert costs.of(replace(size, max_slots=1, num_pages=size.pages_per_slot)) > free
        return
    assert costs.of(size) <= free
    assert size.max_slots <= wanted.max_slots
    assert size.pages_per_slot <= size.num_pages
    more = replace(size, num_pages=size.num_pages + 1)
    assert size.is_whole or costs.of(more) > free
    usual = min(8, size.pages_per_slot)
    assert size.num_pages >= size.max_slots * usual


def test_the_plan_says_what_computing_takes(model: LoadedModel) -> None:
    size = CacheSize(2, 8192, 200)
    working = WorkingMemory(2**29, 2**20)
    plan = MemoryPlan("cuda:0", size, 2**30, Costs(2**20, 7 * 2**20), 0, 0, working, 2**31)
    assert str(plan) == (
        "1.00 GiB of weights, 0.50 to compute in, 2 utterances at once of 2.0 MiB, with 200 pages "
        "of 7.0 MiB for 12800 positions in all: 1.38 of 2.00 GiB that are free for them"
    )


def test_working_memory_is_planned_for(model: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    slot = slot_bytes(model)
    scratch = costs_of(model, CacheSize.whole(1, POSITIONS)).page_bytes
    monkeypatch.setattr(planning, "available_bytes", lambda device: 10 * slot + scratch)
    assert plan_memory(model, 64, POSITIONS).max_slots == 10
    assert plan_memory(model, 64, POSITIONS, WorkingMemory(2 * slot)).max_slots == 8
    assert plan_memory(model, 64, POSITIONS, WorkingMemory(2 * slot, slot)).max_slots == 4
    with pytest.raises(LoadError, match="too little memory"):
        plan_memory(model, 64, POSITIONS, WorkingMemory(11 * slot))


@pytest.mark.parametrize("is_known", [True, False])
def test_pinned_memory_is_released_where_pytorch_can(
    monkeypatch: pytest.MonkeyPatch, is_known: bool
) -> None:
    """Not in the 2.11 of a GPU machine without a network, where each model is released, too."""
    emptied: list[bool] = []
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    memory = torch.accelerator.memory
    monkeypatch.setattr(memory, "empty_host_cache", lambda: emptied.append(True))
    if not is_known:
        monkeypatch.delattr(memory, "empty_host_cache")
    empty_caches()
    assert emptied == [True] * is_known


def test_what_a_failed_load_held_is_released(
    nano_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anybody plans the next one, though whoever logs the error holds it still."""
    held: list[weakref.ref[torch.Tensor]] = []
    dead_when_emptied: list[bool] = []

    def load(*_: object) -> LoadedModel:
        tensor = torch.zeros(9)
        held.append(weakref.ref(tensor))
        try:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        except torch.OutOfMemoryError as error:
            raise LoadError("too little memory") from error

    monkeypatch.setattr(LoadedModel, "load", load)
    monkeypatch.setattr(
        torch.cuda, "empty_cache", lambda: dead_when_emptied.append(held[0]() is None)
    )
    options = loading.LoadOptions("cpu", "float32", "sdpa", nano_cache, 1, 512, False)
    with pytest.raises(LoadError) as raised:
        loading.load_runner("nano", options, lambda _: None, lambda _: None, lambda: None)
    assert dead_when_emptied == [True]
    assert raised.value.__cause__ is not None


def test_errors_that_refer_to_each_other_are_released(caplog: pytest.LogCaptureFixture) -> None:
    """The chain may be a circle, and the stack can still be logged."""
    first, second = ValueError("first"), ValueError("second")
    first.__context__, second.__cause__ = second, first
    release_memory(first)
    try:
        raise first
    except ValueError as error:
        release_memory(error)
        logging.getLogger("test").exception("it failed")
    assert "ValueError: first" in caplog.text
    assert fitting.__name__ in caplog.text or "test_fitting" in caplog.text

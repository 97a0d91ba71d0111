"""A runner without PyTorch, quick and obedient, for tests of what stands around models."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from qwen_tts_api.checkpoints.card import ModelCard
from qwen_tts_api.engine.runner.interface import HISTORY_FRAMES, PrefixUses
from qwen_tts_api.model.utterance import Prompt, Reference
from tests.patience import PATIENCE_S

SAMPLES_PER_FRAME = 1920
EOS = 2150
UNKNOWN = 10**9

CUSTOM_VOICE = ModelCard(
    kind="custom_voice",
    size="1b7",
    speakers=("serena", "uncle_fu", "ryan", "dylan"),
    dialects={"dylan": "beijing_dialect"},
    languages=("chinese", "english", "german", "french"),
)
SMALL_CUSTOM_VOICE = ModelCard("custom_voice", "0b6", ("ryan",), {}, ("english",))
VOICE_DESIGN = ModelCard("voice_design", "1b7", (), {}, ("chinese", "english"))
BASE = ModelCard("base", "1b7", (), {}, ("chinese", "english"))


@dataclass
class FakePrompt:
    """A prompt that takes a position for each character."""

    prompt: Prompt
    tokens: int = 1000  # a frame budget that no test reaches in passing

    @property
    def num_positions(self) -> int:
        return len(self.prompt.text)

    @property
    def num_text_tokens(self) -> int:
        return len(self.prompt.text) - 1 if self.prompt.unfinished else self.tokens

    @property
    def num_trailing(self) -> int:
        return len(self.prompt.text) if self.prompt.reference else 0


@dataclass
class Ready:
    """A result that is on the host already."""

    value: Any

    def read(self) -> Any:
        return self.value


@dataclass
class FakeSlot:
    """What a slot of the fake has: the frames are as many as the text has characters."""

    num_frames: int
    position: int
    frame: int = 0
    running: bool = True
    paused: bool = False
    decoded: int = 0
    loops_from: int | None = None


@dataclass
class FakeRunner:
    """Says one frame for each character: a tone that depends on the text and the frame's number.

    It checks what the scheduler may not do: step a slot that is not running or has no page for its
    position, let slots have more pages than there are, decode out of order or too late.

    Attributes:
        prompts: What it was asked to say.
        voices: Keys of the recordings that it was given.
        gate: A frame waits while this is not set; cancelled jobs are noticed meanwhile, since a
            wait ends after a moment with a frame that changes nothing.
        hang: A frame waits for it, where there is one, whatever happens.
        hang_from: Only from this frame of an utterance on.
        error: Raised by the next frame, once.
        prefill_error: Raised by the next prefill, once.
        batches: The slots of every frame.
        pages: How many each slot has.
        tokens: How many each text has.
        loops: From which frame on a prompt repeats its code 0 for ever; None: it does not.
    """

    card: ModelCard = CUSTOM_VOICE
    max_slots: int = 4
    max_positions: int = 4096
    num_pages: int = 100_000
    page_positions: int = 64
    tokens: int = 1000
    lag: int = 0
    eos: int = EOS
    chunk_sizes: Sequence[int] = (1, 2, 4, 8, 12, 24)
    max_prefill_positions: int = 1024
    prefix_uses: PrefixUses = field(default_factory=PrefixUses)
    prompts: list[Prompt] = field(default_factory=list)
    voices: set[str] = field(default_factory=set)
    slots: dict[int, FakeSlot] = field(default_factory=dict)
    pages: dict[int, int] = field(default_factory=dict)
    batches: list[list[int]] = field(default_factory=list)
    chunks: list[tuple[list[int], int]] = field(default_factory=list)
    loops: Callable[[Prompt], int | None] = lambda prompt: None
    hang: threading.Event | None = None
    hang_from: int = 0
    error: Exception | None = None
    prefill_error: Exception | None = None
    closed: bool = False

    def __post_init__(self) -> None:
        self.placement = SimpleNamespace(device="cpu", dtype="float32", attention="sdpa")
        self.kernels: Mapping[str, str] = {"frame": "plain", "codec": "plain", "prefill": "plain"}
        self.gate = threading.Event()
        self.gate.set()
        self.running = threading.Event()

    def has_cached_voice(self, prompt: Prompt) -> bool:
        return prompt.reference is None or prompt.reference.key in self.voices

    def forget(self, reference: Reference) -> None:
        self.voices.discard(reference.key)

    def prepare(self, prompt: Prompt) -> FakePrompt:
        self.prompts.append(prompt)
        if prompt.reference is not None:
            assert self.card.kind == "base"
            self.voices.add(prompt.reference.key)
        return FakePrompt(prompt, self.tokens)

    def num_prefill_positions(self, prepared: Sequence[FakePrompt]) -> int:
        return sum(each.num_positions for each in prepared)

    def prefill(self, slots: Sequence[int], prepared: Sequence[FakePrompt]) -> Ready:
        if self.prefill_error is not None:
            error, self.prefill_error = self.prefill_error, None
            raise error
        for slot, item in zip(slots, prepared, strict=True):
            assert slot not in self.slots or not self.slots[slot].running
            assert item.num_positions <= self.max_positions
            assert self._has_position(slot, item.num_positions - 1)
            num_frames = UNKNOWN if item.prompt.unfinished else len(item.prompt.text)
            loops_from = self.loops(item.prompt)
            self.slots[slot] = FakeSlot(num_frames, item.num_positions, loops_from=loops_from)
        return Ready([self._draw(slot) for slot in slots])

    def grow(self, slot: int, num_pages: int) -> None:
        assert num_pages >= self.pages.get(slot, 0)
        self.pages[slot] = num_pages
        assert sum(self.pages.values()) <= self.num_pages

    def _has_position(self, slot: int, position: int) -> bool:
        return position < self.pages.get(slot, 0) * self.page_positions

    def advance(self, slots: Sequence[int], end: int) -> Ready:
        self.running.set()
        assert list(slots) == sorted(slots)
        assert end <= self.max_positions
        self.batches.append(list(slots))
        if self.hang is not None and any(
            self.slots[slot].frame >= self.hang_from for slot in slots
        ):
            self.hang.wait(PATIENCE_S)
        if not self.gate.wait(0.005):
            # A frame that takes longer: nothing is drawn, and the frame is not counted.
            for slot in slots:
                self.slots[slot].num_frames += 1
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        for slot in slots:
            assert self.slots[slot].running
            assert not self.slots[slot].paused
            assert self.slots[slot].position < end
            assert self._has_position(slot, self.slots[slot].position)
            self.slots[slot].frame += 1
        self._move(slots[-1] + 1)
        return Ready([self._draw(slot) for slot in slots])

    def _move(self, num_slots: int) -> None:
        """Move on what runs, surplus frames too; nothing goes beyond its last position."""
        for index, slot in self.slots.items():
            if slot.running and not slot.paused and index < num_slots:
                slot.position = min(slot.position + 1, self.max_positions - 1)

    def _draw(self, slot: int) -> int:
        state = self.slots[slot]
        if state.loops_from is not None and state.frame >= state.loops_from:
            return 7
        return EOS if state.frame >= state.num_frames else 10 + state.frame % 1000

    def stop(self, slot: int) -> None:
        self.pages.pop(slot, None)
        self.slots.setdefault(slot, FakeSlot(0, 0)).running = False

    def num_stable_tokens(self, text: str) -> int:
        return max(0, len(text) - 1)

    def extend(self, slot: int, text: str, num_tokens: int, *, final: bool) -> int:
        """A token is a character; the last one may still change."""
        state = self.slots[slot]
        assert state.running
        assert state.num_frames == UNKNOWN
        if final:
            state.num_frames = len(text)
        return len(text) if final else self.num_stable_tokens(text)

    def pause(self, slot: int) -> None:
        assert self.slots[slot].running
        assert not self.slots[slot].paused
        self.slots[slot].paused = True

    def resume(self, slot: int) -> None:
        assert self.slots[slot].running
        assert self.slots[slot].paused
        self.slots[slot].paused = False

    def decode(self, slots: Sequence[int], starts: Sequence[int], num_frames: int) -> Ready:
        assert num_frames in self.chunk_sizes
        self.chunks.append((list(slots), num_frames))
        for slot, start in zip(slots, starts, strict=True):
            assert self.slots[slot].decoded == start
            assert self.slots[slot].frame - start <= HISTORY_FRAMES
            self.slots[slot].decoded += num_frames
            assert self.slots[slot].decoded <= self.slots[slot].frame
        return Ready(np.stack([self._tone(start, num_frames) for start in starts]))

    def _tone(self, start: int, num_frames: int) -> npt.NDArray[np.int16]:
        time = np.arange(SAMPLES_PER_FRAME * num_frames) + SAMPLES_PER_FRAME * start
        tone: npt.NDArray[np.int16] = (16000 * np.sin(time * 0.0576)).astype(np.int16)
        return tone

    def memory_bytes(self) -> int:
        return 0

    def close(self) -> None:
        self.closed = True


class FakeHub:
    """Loads fake runners by id, and remembers what was loaded.

    Attributes:
        cards: What each id is.
        runners: The latest runner that was loaded for an id.
        loads: The ids in the order of loading.
        gate: Loading waits while this is not set.
        error: Raised instead of loading, in the place that was given to the model.
        errors: Likewise, of single ids.
        refusal: Raised when the checkpoint is judged, before it has a place.
        asked: The ids in the order in which they were asked for.
        max_slots: Of the runners that are loaded.
    """

    def __init__(self, cards: dict[str, ModelCard], max_slots: int) -> None:
        self.cards = cards
        self.runners: dict[str, FakeRunner] = {}
        self.loads: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.errors: dict[str, Exception] = {}
        self.refusal: Exception | None = None
        self.asked: list[str] = []
        self.max_slots = max_slots

    def load(
        self, model_id: str, report: Callable[[str], Any], await_place: Callable[[], Any]
    ) -> FakeRunner:
        self.asked.append(model_id)
        if self.refusal is not None:
            raise self.refusal
        await_place()
        report("loading the weights")
        self.gate.wait(PATIENCE_S)
        if error := self.error or self.errors.get(model_id):
            raise error
        self.loads.append(model_id)
        self.runners[model_id] = FakeRunner(self.cards[model_id], self.max_slots)
        return self.runners[model_id]

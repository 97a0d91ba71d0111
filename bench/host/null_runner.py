"""A runner that answers as a GPU would: a constant time a step, overlapped by one, no tensors."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from bench.encoders import FRAME, voice
from qwen_tts_api.checkpoints.card import ModelCard
from qwen_tts_api.engine.runner.interface import PrefixUses
from qwen_tts_api.model.utterance import Prompt, Reference

STEP_S = 0.005
PREFILL_S = 0.002
DECODE_S = 0.0005
VOICE_S = 30

EOS = 2150
NUM_CODES = 1000


@dataclass(frozen=True)
class Pending:
    """A result that the device has at a certain time, by `time.perf_counter`."""

    value: Any
    due_at: float

    def read(self) -> Any:
        """Return the result; wait for it without the GIL, as for an event of a stream."""
        wait_s = self.due_at - time.perf_counter()
        if wait_s > 0:
            time.sleep(wait_s)
        return self.value


class NullPrompt:
    """A short prompt, whatever the text: an utterance ends by its frame budget alone."""

    num_positions = 20
    num_text_tokens = 40
    num_trailing = 0


class NullRunner:
    """Never ends an utterance, and always says the same.

    Args:
        card: Of the model that it stands in for.
        max_slots: How many utterances it computes at once.
    """

    eos = EOS
    lag = 1
    max_positions = 4096
    num_pages = 100_000
    page_positions = 64
    chunk_sizes: Sequence[int] = (1, 2, 4, 8, 12, 24)
    max_prefill_positions = 4096

    def __init__(self, card: ModelCard, max_slots: int) -> None:
        self.card = card
        self.max_slots = max_slots
        self.placement = SimpleNamespace(device="cuda:0", dtype="bfloat16", attention="sdpa")
        self.kernels: Mapping[str, str] = {"frame": "plain", "codec": "plain", "prefill": "plain"}
        self.prefix_uses = PrefixUses()
        self._voice = voice(VOICE_S)
        self._num_frames = len(self._voice) // FRAME
        self._busy_until = 0.0
        self._code = 0

    def has_cached_voice(self, prompt: Prompt) -> bool:
        """Return that there is no recording to encode."""
        return True

    def forget(self, reference: Reference) -> None:
        """Have nothing to forget."""

    def prepare(self, prompt: Prompt) -> NullPrompt:
        """Return a short prompt."""
        return NullPrompt()

    def num_prefill_positions(self, prepared: Sequence[Any]) -> int:
        """Return how long short prompts are together."""
        return sum(each.num_positions for each in prepared)

    def prefill(self, slots: Sequence[int], prepared: Sequence[Any]) -> Pending:
        """Begin utterances."""
        return self._launch(self._codes(slots), PREFILL_S)

    def grow(self, slot: int, num_pages: int) -> None:
        """Have as many pages as anybody wants."""

    def advance(self, slots: Sequence[int], end: int) -> Pending:
        """Generate a frame."""
        return self._launch(self._codes(slots), STEP_S)

    def stop(self, slot: int) -> None:
        """Have nothing to stop."""

    def num_stable_tokens(self, text: str) -> int:
        """Return that there is one: a text that arrives is all there at once."""
        return 1

    def extend(self, slot: int, text: str, num_tokens: int, *, final: bool) -> int:
        """Have no text."""
        return num_tokens

    def pause(self, slot: int) -> None:
        """Have nothing to pause."""

    def resume(self, slot: int) -> None:
        """Have nothing to resume."""

    def decode(self, slots: Sequence[int], starts: Sequence[int], num_frames: int) -> Pending:
        """Return the voice as it goes on."""
        begins = [FRAME * (start % (self._num_frames - num_frames)) for start in starts]
        chunks = [self._voice[begin : begin + FRAME * num_frames] for begin in begins]
        return self._launch(chunks, DECODE_S)

    def memory_bytes(self) -> int:
        """Return that it holds none."""
        return 0

    def close(self) -> None:
        """Have nothing to release."""

    def _codes(self, slots: Sequence[int]) -> list[int]:
        """Return a code 0 for each slot, another one each time, since one again is a loop."""
        self._code = (self._code + 1) % NUM_CODES
        return [self._code] * len(slots)

    def _launch(self, value: Any, cost_s: float) -> Pending:
        """Queue work behind what was launched before it, as a stream of a device does."""
        self._busy_until = max(self._busy_until, time.perf_counter()) + cost_s
        return Pending(value, self._busy_until)

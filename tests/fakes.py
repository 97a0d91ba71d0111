"""A model without PyTorch, quick and obedient, for tests of what stands around models."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from qwen_tts_api.model.checkpoint import ModelCard
from qwen_tts_api.model.utterance import GenerationCancelled, Prompt, Utterance

SAMPLE_RATE_HZ = 24_000
SAMPLES_PER_FRAME = 1920

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


class FakeModel:
    """Says one frame of a tone for each character.

    Attributes:
        prompts: What it was asked to say.
        gate: Generation waits, frame by frame, while this is not set.
        error: Raised instead of an answer.
        running: Set while something is generated.
    """

    def __init__(self, card: ModelCard = CUSTOM_VOICE) -> None:
        self.card = card
        self.placement = SimpleNamespace(device="cpu", dtype="float32", attention="sdpa")
        self.prompts: list[Prompt] = []
        self.gate = threading.Event()
        self.gate.set()
        self.running = threading.Event()
        self.error: Exception | None = None
        self.closed = False

    def generate(self, prompt: Prompt, cancelled: Callable[[], bool]) -> Utterance:
        self.prompts.append(prompt)
        self.running.set()
        try:
            while not self.gate.wait(0.005):
                if cancelled():
                    raise GenerationCancelled
            if self.error is not None:
                raise self.error
        finally:
            self.running.clear()
        time = np.arange(SAMPLES_PER_FRAME * len(prompt.text)) / SAMPLE_RATE_HZ
        samples = (0.5 * np.sin(2 * np.pi * 220 * time)).astype(np.float32)
        return Utterance(samples, SAMPLE_RATE_HZ, "stop")

    def close(self) -> None:
        self.closed = True


class FakeHub:
    """Loads fake models by id, and remembers what was loaded.

    Attributes:
        cards: What each id is.
        models: The latest model that was loaded for an id.
        loads: The ids in the order of loading.
        gate: Loading waits while this is not set.
        error: Raised instead of loading.
    """

    def __init__(self, cards: dict[str, ModelCard]) -> None:
        self.cards = cards
        self.models: dict[str, FakeModel] = {}
        self.loads: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.error: Exception | None = None

    def load(self, model_id: str, report: Callable[[str], Any]) -> FakeModel:
        report("loading the weights")
        self.gate.wait(10)
        if self.error is not None:
            raise self.error
        self.loads.append(model_id)
        self.models[model_id] = FakeModel(self.cards[model_id])
        return self.models[model_id]

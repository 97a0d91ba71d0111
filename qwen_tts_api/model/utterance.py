"""What one utterance is made from. Imports no PyTorch."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

SAMPLE_RATE_HZ = 24_000
"""Of the one codec that is served; a checkpoint with another is refused."""

SAMPLES_PER_FRAME = 1920
"""Of audio: 12.5 frames are a second."""

MAX_REFERENCE_S = 30
"""A longer recording is refused."""

MAX_TRAILING_TOKENS = 1024
"""Of the text that one utterance hears in its frames, because it arrives while it is spoken or as
upstream has it for clones. They take 4 MB a slot at 1.7B."""

MAX_LETTERS_IN_FRAMES = 400
"""Of a text that is heard so: about 100 tokens in English, and no more than 1,000 in any script."""


@dataclass(frozen=True)
class SamplingParams:
    """How codes are sampled; the defaults are those of the published generation_config.json.

    Attributes:
        seed: 0 to 2**63 - 1: the same prompt and seed, the same audio.
        temperature: Of code 0; 0 is greedy.
        top_k: Of code 0; 0 is no limit.
        top_p: Of code 0, in (0, 1].
        repetition_penalty: Of code 0; 1 is none.
        subtalker_temperature: Of codes 1 to 15; 0 is greedy.
        subtalker_top_k: Of codes 1 to 15; 0 is no limit.
        subtalker_top_p: Of codes 1 to 15, in (0, 1].
    """

    seed: int = 0
    temperature: float = 0.9
    top_k: int = 50
    top_p: float = 1.0
    repetition_penalty: float = 1.05
    subtalker_temperature: float = 0.9
    subtalker_top_k: int = 50
    subtalker_top_p: float = 1.0


def derived_seed(seed: int, *parts: str | int) -> int:
    """Return another seed, which depends on one and on what it is for."""
    text = " ".join(map(str, (seed, *parts)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


@dataclass(frozen=True, eq=False)
class Reference:
    """A recording whose voice is to be cloned. The same content is computed only once.

    Attributes:
        samples: `[n]` float32, mono, at SAMPLE_RATE_HZ; what is beyond -1 to 1 is clipped.
        text: What is said in it, which the utterance then continues.
        x_vector_only: Take the speaker's embedding alone; the text plays no part.

    Raises:
        ValueError: It has no text, and the embedding alone is not what is wanted.
    """

    samples: npt.NDArray[np.float32]
    text: str = ""
    x_vector_only: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be continued."""
        if not self.text and not self.x_vector_only:
            raise ValueError("A recording can only be continued where its text is known.")

    @cached_property
    def key(self) -> str:
        """Return the hash of all that matters."""
        content = hashlib.sha256(np.ascontiguousarray(self.samples, np.float32).tobytes())
        content.update(b"x-vector" if self.x_vector_only else b"text:" + self.text.encode())
        return content.hexdigest()


class TextState(NamedTuple):
    """What has arrived of a text.

    Attributes:
        text: From its beginning.
        final: Whether it is all of it.
        version: Grows with each change.
    """

    text: str
    final: bool
    version: int


class ArrivingText:
    """A text that grows while it is spoken. A request's thread writes it, an engine's reads it.

    The model hears a token of it in each frame. A slot whose next frame has no token waits: it is
    paused, keeps all that it goes on with, and its company runs on.

    Args:
        text: What there is already.

    Attributes:
        on_change: Called after each change, in the thread that made it.
    """

    def __init__(self, text: str = "") -> None:
        self.on_change: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self._state = TextState(text, final=False, version=1)

    @property
    def state(self) -> TextState:
        """What has arrived."""
        with self._lock:
            return self._state

    def append(self, text: str) -> None:
        """Add text.

        Raises:
            ValueError: It was finished.
        """
        self._change(text, final=False)

    def finish(self) -> None:
        """End the text; its utterance ends behind it. To finish twice is as once."""
        if not self.state.final:
            self._change("", final=True)

    def wake(self) -> None:
        """Wake the engine, so that it looks at the job."""
        self.on_change()

    def _change(self, text: str, *, final: bool) -> None:
        with self._lock:
            if self._state.final:
                raise ValueError("The text was finished.")
            version = self._state.version + 1
            self._state = TextState(self._state.text + text, final, version)
        self.on_change()


@dataclass(frozen=True)
class Prompt:
    """One utterance to make, in the model's own terms.

    Attributes:
        text: What to say.
        language: A language of the model in lower case, or `auto`.
        speaker: A speaker of the model in lower case; None for a kind without speakers.
        instruct: How to say it (CustomVoice), or the voice itself (VoiceDesign); may be empty.
        sampling: How codes are sampled.
        max_new_tokens: As upstream's: at most one frame less is made. None: the text's own budget.
        streaming: Whether audio is wanted as it is made; else in pieces that cost less.
        reference: Whose voice to speak with (base); None for the other kinds.
        text_in_frames: Whether the model hears a token of the text in each frame, not all of it
            before the first (upstream's `non_streaming_mode=False`): it speaks the same text
            differently.
        unfinished: Whether more text follows, which that needs.
        arriving: Where the text comes from, if it grows: it takes the place of `text`.
    """

    text: str
    language: str
    speaker: str | None
    instruct: str
    sampling: SamplingParams
    max_new_tokens: int | None = None
    streaming: bool = False
    reference: Reference | None = None
    text_in_frames: bool = False
    unfinished: bool = False
    arriving: ArrivingText | None = None

"""When the tokens of a text are spoken, by a model that speaks one in each frame.

Published models choose their pace as they speak. The embedded checkpoints do not, and the one that
has words says in its config.json how many frames pass before the first token.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from qwen_tts_api.checkpoints.documents import Document, read_json
from qwen_tts_api.errors import LoadError

if TYPE_CHECKING:
    from qwen_tts_api.checkpoints.tokenizer import PromptTokenizer

KEY = "speech_lag_frames"


@dataclass(frozen=True)
class TokenTiming:
    """A pace of one token a frame.

    Attributes:
        folder: The checkpoint's, which has the tokenizer.
        lag_frames: How many frames pass from the beginning of the audio to that of the first token.
    """

    folder: Path
    lag_frames: float

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return which characters each token has; the tokenizer is read at the first call."""
        return self._tokenizer.text_offsets(text)

    def begin(self, token: int) -> float:
        """Return the frame in which a token, by its number, begins."""
        return self.lag_frames + token

    @cached_property
    def _tokenizer(self) -> PromptTokenizer:
        from qwen_tts_api.checkpoints.tokenizer import load_tokenizer

        return load_tokenizer(self.folder, read_json(self.folder / "config.json"))


def read_timing(folder: Path, config: Document) -> TokenTiming | None:
    """Read a model's pace from its config.json; None where it has none.

    Raises:
        LoadError: It is not a number.
    """
    lag_frames = config.get(KEY)
    if lag_frames is None:
        return None
    if isinstance(lag_frames, bool) or not isinstance(lag_frames, int | float):
        raise LoadError(f"{folder / 'config.json'}: {KEY} is {lag_frames!r}, and no number.")
    return TokenTiming(folder, float(lag_frames))

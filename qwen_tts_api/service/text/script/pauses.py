"""How long a pause is: in seconds, by its strength, and at most."""

from __future__ import annotations

import re

from qwen_tts_api.errors import InvalidRequest

MAX_PAUSE_S = 10.0
"""Of one, as in Google's and Amazon's SSML."""

MAX_PAUSES_S = 300.0
"""Of all in a request: as much audio as 4,500 characters of text are."""

STRENGTHS_S = {
    "none": 0.0,
    "x-weak": 0.25,
    "weak": 0.5,
    "medium": 0.75,
    "strong": 1.0,
    "x-strong": 1.25,
}
"""How long a `break` of a strength is: as in Azure's SSML, for the standard leaves it open."""

DEFAULT_PAUSE_S = STRENGTHS_S["medium"]
"""Of a pause that says nothing of its length."""

_TIME = re.compile(r"\+?(\d{1,6}(?:\.\d{0,6})?|\.\d{1,6})(ms|s)", re.ASCII)


def read_time(text: str) -> float:
    """Return the seconds of a time as CSS has it, such as `1.5s` or `300ms`.

    Raises:
        ValueError: It is none, or longer than MAX_PAUSE_S.
    """
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError("is no time, which is written 1.5s or 300ms")
    seconds = float(found[1]) / (1000 if found[2] == "ms" else 1)
    if seconds > MAX_PAUSE_S:
        raise ValueError(f"is longer than {MAX_PAUSE_S:g}s, which one pause may be")
    return seconds


def check_pauses(total_s: float) -> None:
    """Check how long all pauses of a text are together.

    Raises:
        InvalidRequest: Longer than MAX_PAUSES_S.
    """
    if total_s > MAX_PAUSES_S:
        raise InvalidRequest(
            f"All pauses together have {total_s:g} s; allowed are up to {MAX_PAUSES_S:g} s.",
            fields={"text": [f"More than {MAX_PAUSES_S:g} s of pauses."]},
        )

"""What a check finds."""

from __future__ import annotations

from dataclasses import dataclass, replace

OK, WARNING, ERROR = "ok", "warning", "error"

COLOURS = {OK: "green", WARNING: "yellow", ERROR: "red"}


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        level: `ok`; `warning`: it works, but not as well as it could; `error`: it does not.
        message: What was found: one sentence.
        advice: What to do about it; empty where nothing is to be done.
        check: What was looked at; filled in by `examine`.
    """

    level: str
    message: str
    advice: str = ""
    check: str = ""

    def of(self, check: str) -> Finding:
        """Return it with the name of its check."""
        return replace(self, check=check)


def ok(message: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(OK, message)


def warning(message: str, advice: str) -> Finding:
    """Return that something could be better."""
    return Finding(WARNING, message, advice)


def error(message: str, advice: str) -> Finding:
    """Return that something is in the way."""
    return Finding(ERROR, message, advice)

"""The result of a check."""

from __future__ import annotations

from dataclasses import dataclass, replace

OK, WARNING, ERROR = "ok", "warning", "error"

COLOURS = {OK: "green", WARNING: "yellow", ERROR: "red"}


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        level: `ok`; `warning`: it works, but not as well as it could; `error`: it does not.
        message: What was found, as one sentence.
        advice: What to do about it; may be empty.
        check: Name of the check; set by `examine`.
    """

    level: str
    message: str
    advice: str = ""
    check: str = ""

    def of(self, check: str) -> Finding:
        """Return a copy with the name of its check."""
        return replace(self, check=check)


def ok(message: str) -> Finding:
    """Return a finding without a problem."""
    return Finding(OK, message)


def warning(message: str, advice: str) -> Finding:
    """Return a finding that a server starts with."""
    return Finding(WARNING, message, advice)


def error(message: str, advice: str) -> Finding:
    """Return a finding that keeps a server from starting."""
    return Finding(ERROR, message, advice)

"""Signal handlers, and the signals that are ignored.

gunicorn would start another worker on SIGHUP, SIGTTIN and SIGUSR2. It would load the model a second
time, and needs a second ops port; so these signals are ignored, and logged.
"""

from __future__ import annotations

import logging
import os
import signal
from functools import partial
from typing import Any

logger = logging.getLogger(__name__)

_NO_RELOAD = "settings are read at the start: restart the server to change them"
_ONE_WORKER = "there is one worker, which has the model"

IGNORED = {
    signal.SIGHUP: _NO_RELOAD + " (the file of keys is read again by itself)",
    signal.SIGUSR1: "there is no file of a log to open again: it goes to standard error",
    signal.SIGUSR2: "a second server would load the model a second time",
    signal.SIGTTIN: _ONE_WORKER,
    signal.SIGTTOU: _ONE_WORKER,
    signal.SIGWINCH: _ONE_WORKER,
}
"""The signals that are ignored, and why."""


def why_ignored(number: int) -> str:
    """Return the log message for an ignored signal."""
    known = signal.Signals(number)
    return f"{known.name} is ignored: {IGNORED[known]}"


def ignore_until_started() -> bool:
    """Ignore these signals until gunicorn installs its handlers.

    Returns:
        Whether SIGHUP was ignored already, as under `nohup`.
    """
    before = signal.getsignal(signal.SIGHUP)
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    return before == signal.SIG_IGN


def reset_in_worker() -> None:
    """Reset the handlers that a new worker inherits from the master, which would only queue them.

    Until the worker installs its own, SIGTERM, SIGINT and SIGQUIT end it at once.
    """
    ignore_until_started()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


def ignore_in_master(arbiter: Any, *, nohup: bool) -> None:
    """Let gunicorn's master ignore these signals, too.

    SIGHUP shuts down if it was sent because the terminal was closed, unless under `nohup`.
    """
    for number in IGNORED:
        name = number.name.removeprefix("SIG").lower()
        setattr(arbiter, f"handle_{name}", partial(logger.info, "%s", why_ignored(number)))
    if not nohup and _has_terminal():
        arbiter.handle_hup = _hang_up


def _hang_up() -> None:
    if _has_terminal():
        logger.info("%s", why_ignored(signal.SIGHUP))
        return
    logger.info("the terminal was closed: shutting down")
    raise StopIteration  # as gunicorn has it for SIGTERM


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK))
    except OSError:
        return False
    return True

"""gunicorn's thread worker, ending so that no accepted request is lost and no client hangs."""

from __future__ import annotations

import logging
import os

from gunicorn.workers.gthread import ThreadWorker

from qwen_tts_api.routes import EXTENSION

EXIT_TIMEOUT_S = 1.0
"""How long the engines have to end when every connection is closed: nothing runs any more then."""


class DrainingThreadWorker(ThreadWorker):  # type: ignore[misc]
    """A `ThreadWorker` that, told to stop, refuses new connections at once.

    Stock gunicorn only stops accepting: connections then wait in the kernel's backlog until the
    process ends, and are reset. This one takes what is in the backlog, so that it is answered (503,
    unless it is a probe), and closes the listening sockets.
    """

    def set_accept_enabled(self, enabled: bool) -> None:
        """Accept or do not; the first refusal of a stopping worker begins the drain."""
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            self._drain()

    def _drain(self) -> None:
        service = self.wsgi.extensions[EXTENSION]
        service.drain()
        for listener in self.sockets:
            listener.setblocking(False)
            connections = -1
            while connections != self.nr_conns:
                connections = self.nr_conns
                self.accept(listener)
            listener.close()

    def run(self) -> None:
        """Serve until told to stop; then end the process, even if a model is still loading.

        It ends at once, since taking the interpreter down with PyTorch in it takes seconds, and can
        crash where a thread is inside PyTorch.
        """
        super().run()
        self.wsgi.extensions[EXTENSION].close(EXIT_TIMEOUT_S)
        logging.shutdown()
        os._exit(0)

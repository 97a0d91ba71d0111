"""A service over fake models, served on real sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.conftest import Bench
from tests.routes.live.serving import Port

ServePort = Callable[..., tuple[Port, Bench]]


@pytest.fixture
def serve_port(make_bench: Callable[..., Bench]) -> Iterator[ServePort]:
    """Return a function that serves a bench with any settings."""
    with ExitStack() as stack:

        def serve(**settings: object) -> tuple[Port, Bench]:
            bench = make_bench(**settings)
            return stack.enter_context(Port(bench.client.application)), bench

        yield serve


@pytest.fixture
def port(serve_port: ServePort) -> Port:
    """Return a served bench with its own settings."""
    return serve_port()[0]

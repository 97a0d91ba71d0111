"""The balancer of `deploy/compose`, itself, in front of two servers of this machine."""

from __future__ import annotations

import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from bench.server import Server, free_port
from tests.conftest import Serve, wait_until
from tools.image.build import ROOT

CONFIGURATION = ROOT / "deploy" / "compose" / "haproxy.cfg"
LONG_TEXT = "The quick brown fox jumps over the lazy dog, and nobody knows why. " * 20


class Balancer:
    """HAProxy with the configuration as it is, but for the addresses."""

    def __init__(self, folder: Path, servers: list[Server]) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        text = CONFIGURATION.read_text()
        text = text.replace("bind :8888", f"bind {self.url.removeprefix('http://')}")
        for number, server in enumerate(servers):
            ops = server.settings["QWEN_OPS_BIND"].rpartition(":")[2]
            name = f"server-{number}"
            text = text.replace(
                f"{name} {name}:8888", f"{name} {server.settings['QWEN_BIND']} check port {ops}"
            )
        path = folder / "haproxy.cfg"
        path.write_text(text)
        self.process = subprocess.Popen(["haproxy", "-f", str(path)], stdout=subprocess.DEVNULL)

    def say(self, text: str, *, stream: bool = False) -> requests.Response:
        body = {"text": text, "stream": stream, "audio_format": "pcm"}
        headers = {"Connection": "close"}
        return requests.post(
            f"{self.url}/api/tts", json=body, stream=stream, headers=headers, timeout=60
        )

    def is_ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/readyz", timeout=5).ok
        except requests.ConnectionError:
            return False


def start(serve: Serve) -> Server:
    return serve(QWEN_OPS_BIND=f"127.0.0.1:{free_port()}")


@pytest.fixture(scope="module")
def servers(serve: Serve) -> list[Server]:
    """Return two that no test ends."""
    return [start(serve) for _ in range(2)]


@contextmanager
def balancing(folder: Path, servers: list[Server]) -> Iterator[Balancer]:
    """Run a balancer, ready."""
    balancer = Balancer(folder, servers)
    try:
        wait_until(balancer.is_ready, 30)
        yield balancer
    finally:
        balancer.process.kill()
        balancer.process.wait()


@pytest.fixture
def balancer(servers: list[Server], tmp_path: Path) -> Iterator[Balancer]:
    with balancing(tmp_path, servers) as balancer:
        yield balancer


def running(server: Server) -> int:
    return int(server.get("/readyz").json()["running"])


def spoken(server: Server) -> float:
    """Return how many requests for speech a server has answered."""
    values = re.findall(
        r'^qwen_tts_syntheses_total\{.*"\} (\S+)$', server.get("/metrics").text, re.M
    )
    return sum(map(float, values))


def test_the_configuration_is_valid_as_it_is() -> None:
    subprocess.run(["haproxy", "-c", "-f", str(CONFIGURATION)], check=True)


def test_the_least_busy_server_gets_the_request(balancer: Balancer, servers: list[Server]) -> None:
    """A long stream on one; what comes meanwhile goes to the other, each time."""
    with balancer.say(LONG_TEXT, stream=True) as stream:
        pieces = stream.iter_content(None)
        next(pieces)
        busy = next(server for server in servers if running(server))
        idle = next(server for server in servers if server is not busy)
        before = spoken(idle)
        for _ in range(4):
            assert balancer.say("Hello.").status_code == 200
        assert spoken(idle) == before + 4


def test_streams_pass_as_they_come(balancer: Balancer, servers: list[Server]) -> None:
    """The first audio is here while a model still computes, one or more of its segments."""
    wait_until(lambda: not any(map(running, servers)))  # of the test before
    with balancer.say(LONG_TEXT, stream=True) as stream:
        next(stream.iter_content(None))
        assert sorted(map(bool, map(running, servers))) == [False, True]


def test_a_server_that_ends_is_left_out(
    serve: Serve, servers: list[Server], tmp_path: Path
) -> None:
    """Every request is answered, those in the moment of its end, too."""
    ending = start(serve)
    with balancing(tmp_path, [ending, servers[0]]) as balancer:
        stopping = threading.Thread(target=ending.stop)
        stopping.start()
        assert [balancer.say("Hello.").status_code for _ in range(12)] == [200] * 12
        stopping.join()
        assert [balancer.say("Hello.").status_code for _ in range(4)] == [200] * 4


def test_told_to_stop_it_finishes_what_runs(balancer: Balancer) -> None:
    with balancer.say(LONG_TEXT[:670], stream=True) as stream:
        pieces = stream.iter_content(None)
        received = len(next(pieces))
        balancer.process.send_signal(signal.SIGUSR1)
        received += sum(map(len, pieces))
    assert received > 24_000 * 2 * 30
    assert balancer.process.wait(75) == 0


def test_metrics_are_not_those_of_some_server(balancer: Balancer) -> None:
    assert requests.get(f"{balancer.url}/metrics", timeout=5).status_code == 404

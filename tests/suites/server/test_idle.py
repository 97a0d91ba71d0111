"""A real model that nobody uses leaves memory, and is there again for who asks."""

from __future__ import annotations

from tests.conftest import Serve, assert_same, wait_until
from tests.suites.server.test_gunicorn import pcm


def test_an_unused_model_leaves_memory_and_speaks_again(serve: Serve) -> None:
    """The same audio; probes never see the difference, but for who asks for the model's state."""
    server = serve(QWEN_IDLE_UNLOAD_S="0.3")

    def state() -> str:
        answer = server.get("/readyz")
        assert answer.status_code == 200
        found: str = answer.json()["models"]["nano"]
        return found

    first = server.say("Hello there.", seed=1).content
    wait_until(lambda: state() == "idle")
    assert "nano: releasing its memory" in server.log
    assert "kind" not in server.get("/readyz").json()
    assert server.get("/healthz").status_code == 200
    again = server.say("Hello there.", seed=1)
    assert again.status_code == 200
    assert_same(pcm(again.content), pcm(first))
    assert server.stop() == 0

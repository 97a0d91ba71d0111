"""Speech that comes to the end of its row, over HTTP: nobody else notices."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.conftest import Serve

TEXT = "bla " * 61
INSTRUCT = "Like somebody who reads aloud a very long list."
"""With it, 512 positions hold the text, but not all of its speech: nano says a letter a frame."""


def test_several_at_once_that_do_not_end(serve: Serve) -> None:
    """They are cut; short ones beside and after them are whole, and as they are alone."""
    server = serve(QWEN_MAX_POSITIONS="512")
    alone = server.say("Short.", seed=1)
    assert alone.headers["X-Finish-Reason"] == "stop"
    with ThreadPoolExecutor(16) as clients:
        endless = [
            clients.submit(server.say, TEXT, instruct=INSTRUCT, seed=seed, max_new_tokens=2048)
            for seed in range(3)
        ]
        beside = []
        while not all(each.done() for each in endless):
            beside.append(clients.submit(server.say, "Short.", seed=1).result())
        together = [clients.submit(server.say, "Short.", seed=1) for _ in range(6)]
        after = [each.result() for each in together]
    for each in endless:
        answer = each.result()
        assert answer.status_code == 200, answer.text
        assert answer.headers["X-Finish-Reason"] == "length"
    assert beside
    for short in [*beside, *after]:
        assert short.status_code == 200, short.text
        assert short.headers["X-Finish-Reason"] == "stop"
        assert len(short.content) == len(alone.content)
    assert "Traceback" not in server.log

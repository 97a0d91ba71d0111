"""DashScope's own client of Qwen-TTS-Realtime, and the blocks of docs/api/live.md."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import dashscope
import pytest
from dashscope.audio.qwen_tts_realtime import QwenTtsRealtime, QwenTtsRealtimeCallback

from bench.server import Server
from tests.patience import PATIENCE_S

PAGE = Path(__file__).resolve().parents[2] / "docs/api/live.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)


class Listener(QwenTtsRealtimeCallback):
    """Notes what the SDK tells."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.changed = threading.Condition()
        self.code: int | None = None

    def on_event(self, message: Any) -> None:
        with self.changed:
            self.events.append(message)
            self.changed.notify_all()

    def on_close(self, close_status_code: Any, close_msg: Any) -> None:
        with self.changed:
            self.code = close_status_code
            self.changed.notify_all()

    def wait_for(self, kind: str, count: int = 1) -> None:
        """Wait for events of a type."""
        with self.changed:
            assert self.changed.wait_for(
                lambda: sum(event["type"] == kind for event in self.events) >= count, 60
            ), self.events


def connect_client(address: str, listener: Listener) -> tuple[QwenTtsRealtime, Any]:
    """Return DashScope's client of a server (`ws://...`), and its connection.

    The SDK leaves that open when the server has closed it.
    """
    url = f"{address}/api-ws/v1/realtime"
    client = QwenTtsRealtime("qwen3-tts-flash-realtime", callback=listener, url=url)
    client.connect()
    socket: Any = client.ws
    return client, socket.sock.sock


def test_dashscope_s_client_speaks_twice_and_finishes(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the mode `commit`; it measures its delay, and sees a clean close."""
    monkeypatch.setattr(dashscope, "api_key", "none")
    listener = Listener()
    client, connection = connect_client(server.url.replace("http", "ws"), listener)
    client.update_session(voice="Serena", mode="commit", language_type="English")
    for number, text in enumerate(("Hello there.", "And once more."), 1):
        client.append_text(text)
        client.commit()
        listener.wait_for("response.done", number)
    client.finish()
    with listener.changed:
        assert listener.changed.wait_for(lambda: listener.code is not None, 60)
    client.thread.join(PATIENCE_S)
    connection.close()
    assert listener.code == 1000
    assert listener.events[-1]["type"] == "session.finished"
    assert str(client.session_id).startswith("sess_")
    assert client.last_first_audio_delay
    deltas = [event for event in listener.events if event["type"] == "response.audio.delta"]
    assert all(len(base64.b64decode(event["delta"])) % 2 == 0 for event in deltas)
    assert not [event for event in listener.events if event["type"] == "error"]


@pytest.mark.parametrize("block", BLOCKS, ids=["realtime", "stream"])
def test_the_examples_of_the_page_speak(server: Server, block: str) -> None:
    """As programs of their own, which is what a reader makes of them."""
    check = "\nassert len(audio if 'audio' in globals() else listener.audio) > 24_000\n"
    code = block.replace("localhost:8888", server.url.removeprefix("http://")) + check
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)

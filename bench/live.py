"""`python -m bench.live`: when a text that arrives is first heard, in both modes, with nano.

A word comes every `WORD_S`, as of a language model that writes 20 words a second.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from qwen_tts_api.config import Config
from qwen_tts_api.service.assembly import build_service
from qwen_tts_api.service.live.events import AudioChunk
from qwen_tts_api.service.request import SpeechRequest
from qwen_tts_api.service.speech import SpeechService

WORD_S = 0.05
RUNS = 5
TEXT = (
    "Here is a sentence of twelve words, as people say them every day. "
    "And here is another one, a little shorter than it."
)


def measure() -> dict[str, Any]:
    """Return the median seconds from the first word to the first audio, by mode."""
    with tempfile.TemporaryDirectory() as folder:
        config = Config(model_id="nano", device="cpu", dtype="float32", cache_dir=Path(folder))
        service = build_service(config)
        service.start()
        while not service.status().ready:
            time.sleep(0.1)
        try:
            return {
                "word_s": WORD_S,
                "first_audio_s": {mode: _median(service, mode) for mode in MODES},
            }
        finally:
            service.close(10)


MODES = ("whole", "segments", "continuous")


def _median(service: SpeechService, mode: str) -> float:
    return round(statistics.median(_first_audio_s(service, mode) for _ in range(RUNS + 1)), 3)


def _first_audio_s(service: SpeechService, mode: str) -> float:
    """Return the seconds from the first word to the first audio; `whole` waits for all words."""
    request = SpeechRequest(audio_format="pcm", live_mode=mode if mode != "whole" else "segments")
    live = service.live(request)
    began_at, heard = time.monotonic(), threading.Event()

    def write() -> None:
        for word in TEXT.split(" "):
            if mode != "whole" and not heard.is_set():
                live.append(f"{word} ")
            time.sleep(WORD_S)
        if mode == "whole":
            live.append(TEXT)
            live.finish()

    writer = threading.Thread(target=write)
    writer.start()
    next(event for event in live.events() if isinstance(event, AudioChunk))
    heard_s = time.monotonic() - began_at
    heard.set()
    writer.join()
    live.cancel()
    return heard_s


if __name__ == "__main__":
    from bench.__main__ import write_result

    print(write_result("live_cpu", measure()))

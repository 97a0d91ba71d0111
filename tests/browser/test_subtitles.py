"""Subtitles in a real `<track>`: what a browser's own parser makes of them."""

from __future__ import annotations

import base64
import html

import pytest

from bench.server import Server
from tests.browser.conftest import Browser

TEXT = "First a < b & c --> d. Then some more <i>of</i> it: enough for two lines.\n\n2 😀 京! عربي."

READ = """
    const done = arguments[1], track = document.createElement("track");
    const audio = document.body.appendChild(document.createElement("audio"));
    Object.assign(track, { kind: "captions", src: arguments[0] });
    track.addEventListener("error", () => done("refused"));
    track.addEventListener("load", () => done([...track.track.cues].map(
        (cue) => [cue.startTime, cue.endTime, cue.getCueAsHTML().textContent])));
    audio.append(track);
    track.track.mode = "showing";
"""


def test_a_browser_reads_every_cue(browser: Browser, server: Server) -> None:
    answer = server.say(TEXT, timestamps=True, normalize=False, speed=0.5, seed=1).json()
    browser.get("about:blank")
    encoded = base64.b64encode(answer["vtt"].encode()).decode()
    cues = browser.execute_async_script(READ, f"data:text/vtt;base64,{encoded}")
    assert len(cues) == answer["vtt"].count(" --> ") > 1
    shown = "".join("".join(text for _, _, text in cues).split())
    assert html.unescape(shown) == shown == "".join(TEXT.split())
    marks = [mark for start, end, _ in cues for mark in (start, end)]
    assert marks == sorted(marks)
    assert marks[0] == pytest.approx(answer["segments"][0]["start"], abs=0.001)
    assert marks[-1] <= answer["duration"]

"""SubRip (SRT) and WebVTT: subtitles as files.

Sources: https://www.w3.org/TR/webvtt1/, and https://docs.fileformat.com/video/srt/, which has no
standard: what players make of `-->`, tags and braces in a text is left out of it.
"""

from __future__ import annotations

import re

from qwen_tts_api.service.times.cues import Cue, make_cues
from qwen_tts_api.service.times.timed import Times

_TAG = re.compile(r"<(?=[A-Za-z/!])")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def to_srt(times: Times) -> str:
    """Return subtitles in SubRip's format, with line ends of CR LF; empty without segments."""
    return "".join(
        f"{number}\r\n{_clock(cue, ',')}\r\n{_srt_text(cue)}\r\n\r\n"
        for number, cue in enumerate(make_cues(times), 1)
    )


def to_vtt(times: Times) -> str:
    """Return subtitles as WebVTT."""
    cues = (
        f"{_clock(cue, '.')}\n{_voice(cue)}"
        + "\n".join(line.translate(_ESCAPES) for line in cue.lines)
        + "\n"
        for cue in make_cues(times)
    )
    return "\n".join(["WEBVTT\n", *cues])


def _voice(cue: Cue) -> str:
    """Return the tag of who speaks, whose name ends with the line and the tag."""
    name = " ".join(cue.speaker.split()).translate(_ESCAPES)
    return f"<v {name}>" if name else ""


def _srt_text(cue: Cue) -> str:
    """Return a text that no player takes for times, a tag or an override: nothing can escape it."""
    text = "\r\n".join(cue.lines).replace("-->", "→").replace("{\\", "(\\")
    return _TAG.sub("‹", text)


def _clock(cue: Cue, separator: str) -> str:
    return f"{_time(cue.start_ms, separator)} --> {_time(cue.end_ms, separator)}"


def _time(milliseconds: int, separator: str) -> str:
    seconds, milliseconds = divmod(milliseconds, 1000)
    hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
    return f"{hours:02}:{minutes:02}:{seconds:02}{separator}{milliseconds:03}"

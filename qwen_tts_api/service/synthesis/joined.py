"""The audio of a text's segments as one: at their speeds, with the pauses between them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from qwen_tts_api.service.plan import SpeechSegment
from qwen_tts_api.service.synthesis.concatenate import Concatenator, at_speed
from qwen_tts_api.service.times.timed import SegmentText
from qwen_tts_api.service.times.timeline import Timeline

Samples = npt.NDArray[np.int16]


def joined(
    segments: Sequence[SpeechSegment],
    samples_of: Callable[[int], Iterable[Samples]],
    lead_s: float,
    timeline: Timeline | None = None,
) -> Generator[Samples, None, None]:
    """Yield the audio as it is made; that of one segment alone is the model's own.

    Args:
        segments: All of the text's.
        samples_of: Returns the audio of the one of a number; called in their order.
        lead_s: The stated pause before the first.
        timeline: Is told when they are heard.
    """
    first = segments[0]
    is_changed = bool(lead_s) or first.is_stated or first.speed != 1
    if len(segments) == 1 and timeline is None and not is_changed:
        yield from filter(len, samples_of(0))
        return
    if timeline is not None:
        timeline.restart()
    concatenator = Concatenator(
        len(segments), trim_beginning=bool(lead_s), trim_end=segments[-1].is_stated
    )
    # Sent with the first audio: what fails before that has its status.
    lead = list(concatenator.silence(lead_s))
    for number, segment in enumerate(segments):
        concatenator.holds_silence = segment.is_stated
        tempo = segment.speed
        said = SegmentText(segment.prompt.text, tempo, segment.voice, segment.written)
        if timeline is not None:
            timeline.begin_segment(said, concatenator.origin)
        for taken in at_speed(samples_of(number), tempo):
            yield from lead
            lead.clear()
            if timeline is not None:
                timeline.write(taken)
            if len(ready := concatenator.write(taken)):
                yield ready
        if timeline is not None:
            timeline.end_segment(said, concatenator.origin)
        yield from lead
        lead.clear()
        if segment.is_stated:
            if len(ready := concatenator.release()):
                yield ready
            yield from concatenator.silence(segment.pause_s)
        elif number + 1 < len(segments):
            yield concatenator.end_segment(segment.pause_s)

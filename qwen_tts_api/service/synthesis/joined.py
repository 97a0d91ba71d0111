"""The audio of a text's segments as one: at their speeds, with the pauses between them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from qwen_tts_api.service.plan import SpeechSegment
from qwen_tts_api.service.synthesis.concatenate import Concatenator, at_speed, silence

Samples = npt.NDArray[np.int16]


def joined(
    segments: Sequence[SpeechSegment],
    samples_of: Callable[[int], Iterable[Samples]],
    lead_s: float,
) -> Generator[Samples, None, None]:
    """Yield the audio as it is made.

    Args:
        segments: All of the text's.
        samples_of: Returns the audio of the one of a number; called in their order.
        lead_s: The stated pause before the first.
    """
    concatenator = Concatenator(
        len(segments), trim_beginning=bool(lead_s), trim_end=segments[-1].is_stated
    )
    yield from silence(lead_s)
    for number, segment in enumerate(segments):
        concatenator.holds_silence = segment.is_stated
        for taken in at_speed(samples_of(number), segment.speed):
            if len(ready := concatenator.write(taken)):
                yield ready
        if segment.is_stated:
            if len(ready := concatenator.release()):
                yield ready
            yield from silence(segment.pause_s)
        elif number + 1 < len(segments):
            yield concatenator.end_segment(segment.pause_s)

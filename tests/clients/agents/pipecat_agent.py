"""Pipecat's service for ElevenLabs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pipecat.frames.frames import (
    ErrorFrame,
    Frame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    TTSAudioRawFrame,
    TTSStoppedFrame,
    TTSTextFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.elevenlabs.tts import ElevenLabsTTSService
from pipecat.workers.runner import WorkerRunner

from tests.clients.agents.turns import TIMEOUT_S, VOICE, Heard, Turn

DIRECTIONS = (FrameDirection.UPSTREAM, FrameDirection.DOWNSTREAM)
"""Of errors, which are heard before the service, and of audio, which is heard behind it."""


class Probe(FrameProcessor):  # type: ignore[misc]
    """Passes frames on, and puts those of a direction into a queue, too."""

    def __init__(self, frames: asyncio.Queue[Frame], kept: FrameDirection) -> None:
        super().__init__()
        self._frames = frames
        self._kept = kept

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if direction is self._kept:
            await self._frames.put(frame)
        await self.push_frame(frame, direction)


async def speak(url: str, api_key: str, turns: Sequence[Turn]) -> list[Heard]:
    """Speak turns one after the other, over one connection while it lasts."""
    tts = ElevenLabsTTSService(
        url=url.replace("http", "ws"),
        api_key=api_key,
        settings=ElevenLabsTTSService.Settings(voice=VOICE),
        reconnect_on_error=False,
    )
    frames: asyncio.Queue[Frame] = asyncio.Queue()
    before, behind = (Probe(frames, direction) for direction in DIRECTIONS)
    pipeline = Pipeline([before, tts, behind])
    worker = PipelineWorker(pipeline, cancel_on_idle_timeout=False)
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    try:
        return [await _speak(worker, frames, turn) for turn in turns]
    finally:
        await runner.cancel()
        await running


async def _speak(worker: PipelineWorker, frames: asyncio.Queue[Frame], turn: Turn) -> Heard:
    texts = [LLMTextFrame(piece) for piece in turn.pieces]
    for frame in (LLMFullResponseStartFrame(), *texts, LLMFullResponseEndFrame()):
        await worker.queue_frame(frame)
    heard = Heard()
    last = (TTSStoppedFrame, InterruptionFrame) if texts else LLMFullResponseEndFrame
    while True:
        frame = await asyncio.wait_for(frames.get(), TIMEOUT_S)
        if isinstance(frame, TTSAudioRawFrame):
            if not heard.audio:
                turn.on_audio()
                if turn.interrupted:
                    await worker.queue_frame(InterruptionFrame())
            heard.audio += frame.audio
            heard.sample_rate_hz = frame.sample_rate
        elif isinstance(frame, TTSTextFrame):
            heard.words.append((frame.text, (frame.pts or 0) / 1e9))
        elif isinstance(frame, ErrorFrame):
            heard.error = frame.error
            return heard
        elif isinstance(frame, last):
            return heard

"""What Home Assistant's integration of Wyoming does, by the library that it has.

Its loops have no timeout and know no `error`: what it would wait for without end is here a
TimeoutError. (Its homeassistant/components/wyoming/, data.py and tts.py.)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.event import Event
from wyoming.info import Describe, Info
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeStopped,
    SynthesizeVoice,
)

Result = TypeVar("Result")

HANG_S = 30


def run(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run it; fail where it waits for what does not come."""
    return asyncio.run(asyncio.wait_for(coroutine, HANG_S))


@asynccontextmanager
async def connected(address: tuple[str, int]) -> AsyncIterator[AsyncTcpClient]:
    """Open a connection for the block."""
    client = AsyncTcpClient(*address)
    await client.connect()
    try:
        yield client
    finally:
        await client.disconnect()


async def _describe(address: tuple[str, int]) -> Info | None:
    async with connected(address) as client:
        await client.write_event(Describe().event())
        while event := await client.read_event():
            if Info.is_type(event.type):
                return Info.from_event(event)
    return None


def describe(address: tuple[str, int]) -> Info | None:
    """Return what a server tells of itself."""
    return run(_describe(address))


async def _say(address: tuple[str, int], text: str, voice: SynthesizeVoice | None) -> bytes | None:
    samples = b""
    async with connected(address) as client:
        await client.write_event(Synthesize(text=text, voice=voice).event())
        while event := await client.read_event():
            if AudioStop.is_type(event.type):
                return samples
            if AudioChunk.is_type(event.type):
                samples += AudioChunk.from_event(event).audio
    return None


def say(address: tuple[str, int], text: str, voice: SynthesizeVoice | None = None) -> bytes | None:
    """Return the samples of a text; None where the connection ends before the audio does."""
    return run(_say(address, text, voice))


async def read_until(client: AsyncTcpClient, last: str = "") -> list[Event]:
    """Return the events of a server up to one of this type, or until it closes the connection."""
    received: list[Event] = []
    while (not received or received[-1].type != last) and (event := await client.read_event()):
        received.append(event)
    return received


async def _exchange(address: tuple[str, int], sent: Sequence[Event], last: str) -> list[Event]:
    async with connected(address) as client:
        for event in sent:
            await client.write_event(event)
        return await read_until(client, last)


def exchange(address: tuple[str, int], *sent: Event, last: str = "") -> list[Event]:
    """Send events; return what is answered, up to one of this type or the server's close."""
    return run(_exchange(address, sent, last))


async def _stream(
    address: tuple[str, int], chunks: Iterable[str], voice: SynthesizeVoice | None
) -> tuple[list[str], bytes]:
    async with connected(address) as client:
        await client.write_event(SynthesizeStart(voice=voice).event())

        async def write() -> None:
            text = ""
            for chunk in chunks:
                text += chunk
                await client.write_event(SynthesizeChunk(text=chunk).event())
                await asyncio.sleep(0)
            # For servers that do not know the events above.
            await client.write_event(Synthesize(text=text, voice=voice).event())
            await client.write_event(SynthesizeStop().event())

        writing = asyncio.create_task(write())
        types: list[str] = []
        samples, has_head = b"", False
        while event := await client.read_event():
            types += [event.type] if event.type not in types[-1:] else []
            if AudioStart.is_type(event.type):
                has_head = True
            elif AudioChunk.is_type(event.type) and has_head:
                samples += AudioChunk.from_event(event).audio
            elif SynthesizeStopped.is_type(event.type):
                break
        await writing
    return types, samples


def stream(
    address: tuple[str, int], chunks: Iterable[str], voice: SynthesizeVoice | None = None
) -> tuple[list[str], bytes]:
    """Return the types of events in their order, without repetition, and the samples."""
    return run(_stream(address, chunks, voice))

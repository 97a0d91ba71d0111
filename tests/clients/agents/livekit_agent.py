"""LiveKit's plugin for ElevenLabs."""

from __future__ import annotations

from collections.abc import Sequence

import aiohttp
from livekit.agents import APIConnectOptions, APIError
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT
from livekit.plugins import elevenlabs

from tests.clients.agents.turns import TIMEOUT_S, VOICE, Heard, Turn

WITHOUT_RETRIES = APIConnectOptions(max_retry=0, timeout=TIMEOUT_S)


async def speak(url: str, api_key: str, turns: Sequence[Turn]) -> list[Heard]:
    """Speak turns one after the other, over one connection while it lasts."""
    async with aiohttp.ClientSession() as session:
        tts = elevenlabs.TTS(
            base_url=f"{url}/v1",
            api_key=api_key,
            voice_id=VOICE,
            encoding="pcm_24000",
            http_session=session,
        )
        heard = [await _speak(tts, turn) for turn in turns]
        await tts.aclose()
    return heard


async def _speak(tts: elevenlabs.TTS, turn: Turn) -> Heard:
    heard = Heard()
    stream = tts.stream(conn_options=WITHOUT_RETRIES)
    for piece in turn.pieces:
        stream.push_text(piece)
    stream.end_input()
    try:
        async for event in stream:
            if not heard.audio:
                turn.on_audio()
            heard.audio += bytes(event.frame.data)
            heard.sample_rate_hz = event.frame.sample_rate
            words = event.frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, ())
            heard.words += [(word.strip(), word.start_time) for word in words]
            if turn.interrupted:
                break
    except APIError as error:
        heard.error = f"{error.message} {getattr(error, 'status_code', '')}".strip()
    finally:
        await stream.aclose()
    return heard

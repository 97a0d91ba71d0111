"""Requests of clients that are too large to install for a test, as they were recorded.

The packages themselves were run against this server on 2026-11-28, through a proxy that kept every
byte: livekit-plugins-openai 1.8.9 and pipecat-ai 1.14.0 (both with openai 3.57.0), wyoming-openai
0.8.0 (with openai 3.22.1 and wyoming 1.10.2), and the payloads of vLLM-Omni's example
(examples/online_serving/qwen3_tts/openai_speech_client.py at 5e7162f8) as httpx 0.28.1 sends them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recording:
    """A request.

    Attributes:
        name: Of the client, and what it was told.
        head: Its headers, as they stood, but for Host and Content-Length.
        body: As it stood.
        ignored: What `X-Ignored-Parameters` has to name, where the model is `nano-en`.
    """

    name: str
    head: str
    body: str
    ignored: str = ""

    def request(self, text: str = "") -> bytes:
        """Return the bytes of the request; a text replaces the one that was recorded."""
        body = self.body.replace(HELLO, text) if text else self.body
        data = body.encode()
        return (
            "POST /v1/audio/speech HTTP/1.1\r\nHost: 127.0.0.1:28778\r\n"
            + "".join(f"{line}\r\n" for line in self.head.strip().splitlines())
            + f"Content-Length: {len(data)}\r\n\r\n"
        ).encode() + data


HELLO = "Hello there, this is a test of the voice agent."

_OPENAI = """
Accept-Encoding: gzip, deflate
Connection: keep-alive
authorization: Bearer none
accept: application/octet-stream
content-type: application/json
user-agent: AsyncOpenAI/Python 3.57.0
x-stainless-lang: python
x-stainless-package-version: 3.57.0
x-stainless-os: Linux
x-stainless-arch: x64
x-stainless-runtime: CPython
x-stainless-runtime-version: 3.11.7
x-stainless-async: async:asyncio
x-stainless-raw-response: stream
x-stainless-retry-count: 0
"""
_LIVEKIT = f"{_OPENAI}x-stainless-read-timeout: 30"
_PIPECAT = f"{_OPENAI}x-stainless-read-timeout: 600"

# It sends no key where it was given none.
_WYOMING = """
Accept-Encoding: gzip, deflate
Connection: keep-alive
accept: application/octet-stream
content-type: application/json
user-agent: CustomAsyncOpenAI/Python 3.22.1
x-stainless-lang: python
x-stainless-package-version: 3.22.1
x-stainless-os: Linux
x-stainless-arch: x64
x-stainless-runtime: CPython
x-stainless-runtime-version: 3.13.0
x-stainless-async: async:asyncio
x-stainless-raw-response: stream
x-stainless-retry-count: 0
x-stainless-read-timeout: 600
"""

_HTTPX = """
Accept: */*
Accept-Encoding: gzip, deflate
Connection: keep-alive
User-Agent: python-httpx/0.28.1
Content-Type: application/json
Authorization: Bearer EMPTY
"""

STREAMING = (
    Recording(
        "LiveKit, by default",
        _LIVEKIT,
        f'{{"model":"gpt-4o-mini-tts","input":"{HELLO}","voice":"ash",'
        '"response_format":"mp3","speed":1.0,"stream_format":"sse"}',
        ignored="voice",
    ),
    Recording(
        "LiveKit, tts-1",
        _LIVEKIT,
        f'{{"model":"tts-1","input":"{HELLO}","voice":"alloy",'
        '"response_format":"mp3","speed":1.0,"stream_format":"audio"}',
    ),
    Recording(
        "LiveKit, with instructions",
        _LIVEKIT,
        f'{{"model":"gpt-4o-mini-tts","input":"{HELLO}","voice":"ash",'
        '"instructions":"Speak warmly.","response_format":"mp3","speed":1.0,'
        '"stream_format":"sse"}',
        ignored="voice, instructions",
    ),
    Recording(
        "Pipecat, by default",
        _PIPECAT,
        f'{{"model":"gpt-4o-mini-tts","input":"{HELLO}","voice":"alloy","response_format":"pcm"}}',
    ),
    Recording(
        "Pipecat, with everything",
        _PIPECAT,
        f'{{"model":"gpt-4o-mini-tts","input":"{HELLO}","voice":"ash",'
        '"instructions":"warmly","response_format":"pcm","speed":1.1}',
        ignored="voice, instructions",
    ),
    *(
        Recording(
            f"wyoming-openai, {model} as {voice}",
            _WYOMING,
            f'{{"input":"{HELLO}","model":"{model}","voice":"{voice}","response_format":"wav"}}',
            ignored=ignored,
        )
        for model, voice, ignored in (
            ("tts-1", "alloy", ""),
            ("tts-1", "shimmer", "voice"),
            ("gpt-4o-mini-tts", "cedar", "voice"),
        )
    ),
)
"""Voice agents; all call openai-python's `with_streaming_response`."""

_MODEL = "Qwen/Qwen3-TTS-12Hz-1.7B-"
RECORDING = "data:audio/wav;base64,RECORDING"
"""Stands for 150 KB of base64."""

VLLM_OMNI = (
    Recording(
        "CustomVoice",
        _HTTPX,
        f'{{"model":"{_MODEL}CustomVoice","input":"{HELLO}","voice":"Vivian",'
        '"response_format":"wav"}',
    ),
    Recording(
        "CustomVoice with instructions",
        _HTTPX,
        f'{{"model":"{_MODEL}CustomVoice","input":"{HELLO}","voice":"Vivian",'
        '"response_format":"wav","instructions":"Speak with excitement"}',
    ),
    Recording(
        "VoiceDesign",
        _HTTPX,
        f'{{"model":"{_MODEL}VoiceDesign","input":"{HELLO}","voice":"Vivian",'
        '"response_format":"wav","instructions":"A warm, friendly female voice",'
        '"task_type":"VoiceDesign"}',
        ignored="voice",
    ),
    Recording(
        "Base",
        _HTTPX,
        f'{{"model":"{_MODEL}Base","input":"{HELLO}","voice":"Vivian","response_format":"wav",'
        f'"task_type":"Base","ref_audio":"{RECORDING}",'
        '"ref_text":"This is the reference transcript"}',
        ignored="voice",
    ),
    Recording(
        "Base by the embedding alone",
        _HTTPX,
        f'{{"model":"{_MODEL}Base","input":"{HELLO}","voice":"Vivian","response_format":"wav",'
        f'"task_type":"Base","ref_audio":"{RECORDING}","x_vector_only_mode":true}}',
        ignored="voice",
    ),
)
"""vLLM-Omni's example for each kind of model; it always names a voice."""

"""What clients of Coqui's server send, byte for byte over a socket, against a real server."""

from __future__ import annotations

import io
import re
import socket
import urllib.request
import wave
from http.client import HTTPResponse
from urllib.parse import quote

import pytest

from bench.server import Server


def exchange(server: Server, request: bytes) -> tuple[HTTPResponse, bytes]:
    """Send the bytes of a request; return the response and its body."""
    with socket.create_connection(server.address, 60) as connection:
        connection.sendall(request)
        response = HTTPResponse(connection)
        response.begin()
        return response, response.read()


def assert_wav(response: HTTPResponse, body: bytes) -> None:
    """Check all that Coqui's clients rely on."""
    assert response.status == 200, body
    assert response.getheader("Content-Type") == "audio/wav"
    assert response.getheader("Content-Length") == str(len(body))
    assert response.getheader("Cache-Control") == "no-cache"
    assert response.getheader("Content-Disposition") is None
    with wave.open(io.BytesIO(body)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        # Samples begin at byte 44, as many as its header says; what is said of them comes behind.
        assert int.from_bytes(body[40:44], "little") == 2 * file.getnframes() > 0
        assert int.from_bytes(body[4:8], "little") == len(body) - 8


def test_amica(server: Server) -> None:
    """Headers alone, no body (its src/features/coquiLocal/coquiLocal.ts); as Chromium sends it."""
    request = (
        b"POST /api/tts HTTP/1.1\r\n"
        b"Host: localhost:5002\r\n"
        b"Connection: keep-alive\r\n"
        b"Content-Length: 0\r\n"
        b"speaker-id: Ryan\r\n"
        b"text: Caf\xe9, na\xefve.\r\n"
        b"Accept: */*\r\n"
        b"Origin: http://localhost:3000\r\n"
        b"Sec-Fetch-Mode: cors\r\n"
        b"Accept-Encoding: gzip, deflate, br, zstd\r\n"
        b"\r\n"
    )
    assert_wav(*exchange(server, request))


def test_the_web_page_of_coqui(server: Server) -> None:
    """Every parameter in the query, most of them empty (TTS/server/templates/index.html)."""
    text = quote("Hello, wörld!", safe="!'()*")
    request = (
        f"GET /api/tts?text={text}&speaker_id=&style_wav=&language_id= HTTP/1.1\r\n"
        "Host: localhost:5002\r\n"
        "Pragma: no-cache\r\n"
        "Cache-Control: no-cache\r\n"
        "Accept: */*\r\n"
        "\r\n"
    )
    assert_wav(*exchange(server, request.encode()))


@pytest.mark.parametrize("speaker", ["p376", "p225"])
@pytest.mark.parametrize("language", ["en", "de", "fr-fr", "zh-cn", "en_US", ""])
def test_scripts_with_hard_coded_names(server: Server, speaker: str, language: str) -> None:
    """`QWEN_SPEAKER_ALIASES` knows the speakers; codes of languages are known anyhow."""
    query = f"text=Hi.&speaker_id={speaker}&style_wav=&language_id={language}"
    with urllib.request.urlopen(f"{server.url}/api/tts?{query}", timeout=60) as response:
        assert_wav(response, response.read())


def test_curl_with_a_form(server: Server) -> None:
    """`curl -d`, as scripts for Home Assistant's shell_command have it."""
    body = b"text=The+washing+machine+is+done.&speaker_id=p225&language_id="
    request = (
        b"POST /api/tts HTTP/1.1\r\n"
        b"Host: localhost:5002\r\n"
        b"User-Agent: curl/8.5.0\r\n"
        b"Accept: */*\r\n"
        b"Content-Length: %d\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n"
        b"\r\n"
    ) % len(body)
    assert_wav(*exchange(server, request + body))


def test_a_form_of_several_parts(server: Server) -> None:
    """As `curl -F` sends it."""
    parts = {"text": "Grüße.", "speaker_id": "Serena", "language_id": "de", "style_wav": ""}
    body = "".join(
        f'--x1\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in parts.items()
    )
    data = f"{body}--x1--\r\n".encode()
    request = (
        "POST /api/tts HTTP/1.1\r\n"
        "Host: localhost:5002\r\n"
        "Content-Type: multipart/form-data; boundary=x1\r\n"
        f"Content-Length: {len(data)}\r\n"
        "\r\n"
    )
    assert_wav(*exchange(server, request.encode() + data))


def test_looking_before_asking(server: Server) -> None:
    """HEAD, OPTIONS, `/details`, and the methods that are not there."""
    for method, status in (("HEAD", 200), ("OPTIONS", 200), ("PUT", 405)):
        request = f"{method} /api/tts?text=Hi HTTP/1.1\r\nHost: localhost:5002\r\n\r\n"
        with socket.create_connection(server.address, 60) as connection:
            connection.sendall(request.encode())
            response = HTTPResponse(connection, method=method)
            response.begin()
            body = response.read()
        assert response.status == status
        if method == "HEAD":
            assert body == b""
            assert response.getheader("Content-Type") == "audio/wav"
            assert response.getheader("Content-Length") is None
            assert response.getheader("Transfer-Encoding") is None
        else:
            allowed = response.getheader("Allow") or ""
            assert set(re.split(", ?", allowed)) == {"GET", "POST", "HEAD", "OPTIONS"}
    assert server.get("/details").status_code == 200


@pytest.mark.parametrize("path", ["/api/tts?text=Hello", "/process?INPUT_TEXT=Hello"])
def test_an_audio_element_in_safari(server: Server, path: str) -> None:
    """Two bytes first, then all of the same audio, whose seed was drawn."""

    def get(part: str) -> tuple[HTTPResponse, bytes]:
        request = (
            f"GET {path} HTTP/1.1\r\n"
            "Host: localhost:8888\r\n"
            "Accept: */*\r\n"
            "Accept-Encoding: identity\r\n"
            f"Range: bytes={part}\r\n"
            "User-Agent: AppleCoreMedia/1.0.0.21F90 (iPhone; U; CPU OS 17_5_1 like Mac OS X)\r\n"
            "\r\n"
        )
        return exchange(server, request.encode())

    response, first = get("0-1")
    assert (response.status, first) == (206, b"RI")
    assert response.getheader("Accept-Ranges") == "bytes"
    assert len(response.headers.get_all("Date") or []) == 1
    size = int((response.getheader("Content-Range") or "").rpartition("/")[2])
    later, whole = get(f"0-{size - 1}")
    assert (later.status, len(whole)) == (206, size)
    assert later.getheader("X-Seed") == response.getheader("X-Seed")
    assert later.getheader("Content-Length") == str(size)
    with wave.open(io.BytesIO(whole)) as file:
        assert 0 < size - (44 + 2 * file.getnframes()) < 300
    assert get("1000-1999")[1] == whole[1000:2000]


def test_no_text(server: Server) -> None:
    """The very sentence that Coqui's server answers."""
    response, body = exchange(server, b"GET /api/tts?text= HTTP/1.1\r\nHost: x\r\n\r\n")
    assert response.status == 400
    assert b'"error":"Text parameter is required"' in body

"""Texts in a query, a form or a header: UTF-8, else Windows-1252, in every dialect."""

from __future__ import annotations

import pytest

from qwen_tts_api.routes.bodies.form import parse_multipart
from tests.conftest import Bench
from tests.routes.apis.native.test_tts import assert_error
from tests.routes.apis.test_marytts import assert_refused as assert_refused_in_a_line
from tests.rows import for_each

ENCODED = [
    ("Gr%C3%BC%C3%9Fe", "Grüße"),
    ("Gr%FC%DFe", "Grüße"),
    ("5+%80+%96+caf%E9", "5 € – café"),
    ("100%25", "100%"),
    ("100%", "100%"),
    ("%E4%BD%A0%E5%A5%BD", "你好"),
]


@pytest.mark.parametrize(("encoded", "text"), ENCODED)
def test_of_escapes(bench: Bench, encoded: str, text: str) -> None:
    """Their letters are spoken, never the escapes."""
    form = {"content_type": "application/x-www-form-urlencoded"}
    for response in (
        bench.client.get(f"/api/tts?text={encoded}"),
        bench.client.post("/api/tts", data=f"text={encoded}", **form),
        bench.client.get(f"/process?INPUT_TEXT={encoded}"),
        bench.client.post("/process", data=f"INPUT_TEXT={encoded}"),
    ):
        assert response.status_code == 200, response.text
        assert bench.runner.prompts[-1].text == text
    assert len(bench.runner.prompts) == 4


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_of_bytes(bench: Bench, encoding: str) -> None:
    """As programs send them that escape nothing."""
    text = "Grüße – 5 €"
    data = text.encode(encoding)
    part = b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\n%s\r\n--x--\r\n' % data
    bench.client.post("/api/tts", data=part, content_type="multipart/form-data; boundary=x")
    bench.client.post("/api/tts", headers={"text": data.decode("latin-1")})
    bench.client.post("/process", data=b"INPUT_TEXT=" + data)
    assert [spoken.text for spoken in bench.runner.prompts] == [text] * 3


def test_too_many(bench: Bench) -> None:
    many = "&".join(f"a{number}=1" for number in range(200))
    assert_error(bench.client.get(f"/api/tts?text=a&{many}"), 400, "invalid_request", "parameters")
    response = bench.client.post(
        "/api/tts", data=many, content_type="application/x-www-form-urlencoded"
    )
    assert_error(response, 400, "invalid_request", "100")
    assert_refused_in_a_line(bench.client.get(f"/process?{many}"), 400, "parameters")


@for_each("char", ["\x1c", "\x1e", "\x85", "\u2028", "\u2029", "\x0b", "\x0c"])
def test_a_name_in_a_form_may_have_what_python_takes_for_a_line_s_end(char: str) -> None:
    """Of a part's head only CR and LF end the lines."""
    disposition = f'Content-Disposition: form-data; name="a{char}b"'
    body = f"--x\r\n{disposition}\r\n\r\nHello\r\n--x--\r\n".encode()
    assert parse_multipart(body, b"x").fields == {f"a{char}b": "Hello"}

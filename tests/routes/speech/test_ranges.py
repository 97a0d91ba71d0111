"""Speech by GET in parts, as Safari fetches it, and its head alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.datastructures import Headers

from qwen_tts_api.audio import FORMATS
from qwen_tts_api.routes.speech import ranges
from tests.conftest import Bench
from tests.routes.apis.native.test_tts import assert_error, post
from tests.routes.apis.test_marytts import assert_refused as assert_refused_in_a_line
from tests.rows import for_each

MakeBench = Callable[..., Bench]

PATHS = ["/api/tts?text=Hello", "/process?INPUT_TEXT=Hello"]


def get(
    client: FlaskClient, path: str, part: str | None, **headers: str
) -> tuple[int, Headers, bytes]:
    """GET a part; return status, headers and bytes."""
    given = {**({"Range": part} if part else {}), **headers}
    response = client.get(path, headers=given)
    return response.status_code, response.headers, response.data


@pytest.mark.parametrize("path", PATHS)
def test_an_iphone(bench: Bench, path: str) -> None:
    """Two bytes, then all in several parts: of one synthesis, though no seed is given."""
    status, headers, first = get(bench.client, path, "bytes=0-1")
    assert (status, first) == (206, b"RI")
    assert headers["Accept-Ranges"] == "bytes"
    assert headers["Content-Type"] == "audio/wav"
    assert headers["Content-Length"] == "2"
    size = int(headers["Content-Range"].removeprefix("bytes 0-1/"))
    audio = b""
    for part in (f"bytes=0-{size // 2}", f"bytes={size // 2 + 1}-{size - 1}"):
        status, later, data = get(bench.client, path, part)
        assert status == 206
        assert later["Content-Range"] == f"{part.replace('=', ' ')}/{size}"
        assert later["ETag"] == headers["ETag"]
        assert later["X-Seed"] == headers["X-Seed"]
        assert later["Content-Length"] == str(len(data))
        audio += data
    assert len(audio) == size
    assert audio.startswith(b"RIFF")
    assert int.from_bytes(audio[4:8], "little") == size - 8
    assert int.from_bytes(audio[40:44], "little") == 5 * 1920 * 2
    assert len(bench.runner.prompts) == 1


@for_each(
    ("part", "expected"),
    [
        ("bytes=0-", slice(None)),
        ("bytes=100-199", slice(100, 200)),
        ("bytes=19000-", slice(19000, None)),
        ("bytes=-500", slice(-500, None)),
        ("bytes=19240-99999", slice(19240, None)),
        ("bytes=-99999", slice(None)),
    ],
)
def test_parts(client: FlaskClient, part: str, expected: slice) -> None:
    whole = get(client, PATHS[0], None)[2]
    status, headers, data = get(client, PATHS[0], part)
    assert (status, data) == (206, whole[expected])
    assert headers["Content-Range"].endswith(f"/{len(whole)}")


@for_each("part", ["bytes=5-2", "bytes=a-b", "lines=0-1", "bytes=0-1,5-6", "x", "bytes="])
def test_what_is_no_part_is_passed_over(client: FlaskClient, part: str) -> None:
    """As RFC 9110 has it: the whole is right, too."""
    status, headers, data = get(client, PATHS[0], part)
    assert (status, len(data)) == (200, 8 + int.from_bytes(data[4:8], "little"))
    assert headers["Content-Length"] == str(len(data))
    assert "Content-Range" not in headers


def test_behind_the_end(client: FlaskClient) -> None:
    """416 in each dialect's shape, with the size."""
    response = client.get(PATHS[0], headers={"Range": "bytes=99999-"})
    assert_error(response, 416, "range_not_satisfiable")
    assert re.fullmatch(r"bytes \*/19\d{3}", response.headers["Content-Range"])
    response = client.get(PATHS[1], headers={"Range": "bytes=99999-"})
    assert_refused_in_a_line(response, 416, "Range")


def test_a_large_answer(client: FlaskClient) -> None:
    """It is sent in pieces, whose borders nobody sees."""
    path = f"/api/tts?text={'x' * 200}"
    whole = get(client, path, None)[2]
    assert len(whole) > 10 * 65_536
    for begin, end in ((0, len(whole) - 1), (65_535, 65_536), (65_536, 131_072), (1000, 400_000)):
        status, _, data = get(client, path, f"bytes={begin}-{end}")
        assert (status, data) == (206, whole[begin : end + 1])


def test_a_whole_answer_is_made_anew(bench: Bench) -> None:
    """And its parts are those of the latest."""
    first, second = (get(bench.client, PATHS[0], None)[1] for _ in range(2))
    assert first["X-Seed"] != second["X-Seed"]
    assert first["Accept-Ranges"] == "bytes"
    assert get(bench.client, PATHS[0], "bytes=0-1")[1]["X-Seed"] == second["X-Seed"]
    assert len(bench.runner.prompts) == 2


def test_going_on_with_another_audio_begins_anew(client: FlaskClient) -> None:
    """`If-Range` with the tag of what was lost is answered with the whole."""
    tag = get(client, PATHS[0], "bytes=0-1")[1]["ETag"]
    assert get(client, PATHS[0], "bytes=100-", **{"If-Range": tag})[0] == 206
    assert get(client, PATHS[0], "bytes=100-", **{"If-Range": '"other"'})[0] == 200


@for_each("part", [None, "bytes=100-"])
def test_a_part_of_another_audio_is_refused(client: FlaskClient, part: str | None) -> None:
    """`If-Match` is how some programs go on with what was cut; in each dialect's shape."""
    tag = get(client, PATHS[0], "bytes=0-1")[1]["ETag"]
    fits, _, data = get(client, PATHS[0], "bytes=100-199", **{"If-Match": f'"other", {tag}'})
    assert (fits, len(data)) == (206, 100)
    asked = {"If-Match": '"other"'} | ({} if part is None else {"Range": part})
    assert_error(client.get(PATHS[0], headers=asked), 412, "precondition_failed")
    assert_refused_in_a_line(client.get(PATHS[1], headers=asked), 412, "If-Match")
    assert get(client, PATHS[0], part, **{"If-Match": "*"})[0] == (200 if part is None else 206)


def test_an_answer_is_its_requests_alone(bench: Bench) -> None:
    """Another voice, text, seed or format is another audio, wherever the value stands."""
    for path in ("&speaker_id=Serena", "x", "&seed=1", "&audio_format=pcm", "&speed=2"):
        get(bench.client, PATHS[0], "bytes=0-1")
        get(bench.client, PATHS[0] + path, "bytes=0-1")
    assert len(bench.runner.prompts) == 6
    get(bench.client, PATHS[0], "bytes=0-1", **{"speaker-id": "Dylan"})
    assert bench.runner.prompts[-1].speaker == "dylan"


def test_an_answer_is_its_keys_alone(make_bench: MakeBench, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("a=first-key-of-all-keys\nb=second-key-of-all-keys\n")
    bench = make_bench(api_keys_file=keys)
    for key in ("first-key-of-all-keys", "second-key-of-all-keys") * 2:
        get(bench.client, PATHS[0], "bytes=0-1", Authorization=f"Bearer {key}")
    assert len(bench.runner.prompts) == 2


def test_for_a_minute(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("qwen_tts_api.routes.speech.ranges.time.monotonic", lambda: now)
    get(bench.client, PATHS[0], "bytes=0-1")
    now += ranges.KEPT_S - 1
    get(bench.client, PATHS[0], "bytes=0-1")
    assert len(bench.runner.prompts) == 1
    now += 2
    get(bench.client, PATHS[0], "bytes=0-1")
    assert len(bench.runner.prompts) == 2


def test_no_more_than_a_number_of_bytes(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest goes; one that is too large for all of it is not kept."""
    monkeypatch.setattr(ranges, "MAX_KEPT_BYTES", 2 * 20_000)
    paths = [f"{PATHS[0]}&seed={seed}" for seed in range(3)]
    for path in (*paths, paths[1], paths[2]):
        get(bench.client, path, "bytes=0-1")
    assert len(bench.runner.prompts) == 3
    get(bench.client, paths[0], "bytes=0-1")
    assert len(bench.runner.prompts) == 4
    for _ in range(2):
        assert get(bench.client, PATHS[0] + "x" * 10, "bytes=0-1")[0] == 206
    assert len(bench.runner.prompts) == 6


def test_streams(bench: Bench) -> None:
    """Chromium asks for all from byte 0 on, and gets a stream; a real part is of a whole file."""
    path = f"{PATHS[0]}&stream=true"
    for part in (None, "bytes=0-"):
        status, headers, _ = get(bench.client, path, part)
        assert status == 200
        assert "Content-Length" not in headers
    status, headers, data = get(bench.client, path, "bytes=0-1")
    assert (status, data, headers["Content-Length"]) == (206, b"RI", "2")
    assert get(bench.client, path, "bytes=4-7")[0] == 206
    assert len(bench.runner.prompts) == 3


def test_a_post_has_no_parts(client: FlaskClient) -> None:
    response = client.post("/api/tts", data={"text": "a"}, headers={"Range": "bytes=0-1"})
    assert response.status_code == 200
    assert post(client, text="a").status_code == 200
    assert "Accept-Ranges" not in response.headers


def test_errors_stay_errors(client: FlaskClient) -> None:
    response = client.get("/api/tts?text=", headers={"Range": "bytes=0-1"})
    assert_error(response, 400, "text_required")


@pytest.mark.parametrize("name", FORMATS)
def test_head_has_the_type_of_get(bench: Bench, name: str) -> None:
    """And no length, which nobody knows; once the audio is there, its own."""
    path = f"{PATHS[0]}&audio_format={name}"
    head = bench.client.head(path)
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Type"] == FORMATS[name].media_type
    assert head.headers["Accept-Ranges"] == "bytes"
    assert "Content-Length" not in head.headers
    assert not bench.runner.prompts
    whole = get(bench.client, path, None)
    head = bench.client.head(path, headers={"Range": "bytes=0-1"})
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Length"] == str(len(whole[2]))
    assert head.headers["ETag"] == whole[1]["ETag"]


def test_head_of_marytts(bench: Bench) -> None:
    head = bench.client.head("/process?INPUT_TEXT=a&AUDIO=AU_FILE")
    assert (head.status_code, head.headers["Content-Type"]) == (200, "audio/basic")
    assert "Content-Length" not in head.headers
    assert bench.client.head("/process").status_code == 200
    assert bench.client.head("/process?INPUT_TEXT=a&AUDIO=X").status_code == 400
    assert bench.client.head("/api/tts?text=a&audio_format=midi").status_code == 400
    assert not bench.runner.prompts

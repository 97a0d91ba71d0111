"""The page at `/`: what clients scrape from it, and what keeps it to itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from qwen_tts_api.audio import DEFAULT_FORMAT, FORMATS
from qwen_tts_api.routes.page import page
from tests.conftest import CARDS, Bench
from tests.routes.apis.native.test_tts import assert_error
from tests.rows import for_each

MakeBench = Callable[..., Bench]
STATIC = Path(page.__file__).parent / "static"


def scrape(client: FlaskClient) -> list[str]:
    """Return the speakers that Amica finds (semperai/amica, src/features/coquiLocal)."""
    found = re.findall(r'value="([^"]+)" SELECTED', client.get("/").text)
    return [str(name) for name in found]


def test_coquis_clients_find_each_speaker_and_nothing_else(client: FlaskClient) -> None:
    """As a Coqui option, whole; and no other element of the page looks like one."""
    names = [entry["name"] for entry in client.get("/speakers").get_json()]
    assert scrape(client) == names
    text = client.get("/").text
    assert re.findall(r'<option value="(.+?)" SELECTED>(.+?)</option>', text) == [
        (name, name) for name in names
    ]
    assert text.count("<option") == len(names)


def test_a_model_without_speakers_has_no_options(make_bench: MakeBench) -> None:
    assert scrape(make_bench(served=("design",)).client) == []


def test_the_page_does_not_wait_for_the_model(make_bench: MakeBench) -> None:
    """It is there while the model loads, without speakers; the script asks for them later."""
    response = make_bench(start=False).client.get("/")
    assert response.status_code == 200
    assert "<option" not in response.text


def test_the_live_mode_is_there_where_sockets_are(make_bench: MakeBench) -> None:
    """And only there; it has the modes of the setting."""

    def is_hidden(**settings: object) -> list[bool]:
        text = make_bench(**settings).client.get("/").text
        assert 'data-live-modes="segments continuous"' in text
        return [
            " hidden"
            in re.findall(rf"(<[^>]+>)(?:<label for=\"{name}\"|<input id=\"{name}\")", text)[0]
            for name in ("live", "live_mode")
        ]

    assert is_hidden() == [False, False]
    assert is_hidden(max_sockets=0) == [True, True]


def test_a_hostile_speakers_name_is_text(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint's names are anybody's."""
    name = '"><script>alert(1)</script>'
    monkeypatch.setitem(CARDS, "voice", replace(CARDS["voice"], speakers=(name,)))
    tags: list[tuple[str, dict[str, str | None]]] = []
    parser = HTMLParser()
    monkeypatch.setattr(
        parser, "handle_starttag", lambda tag, attributes: tags.append((tag, dict(attributes)))
    )
    parser.feed(make_bench().client.get("/").text)
    assert [given["value"] for tag, given in tags if tag == "option"] == [name.title()]
    assert all("src" in given for tag, given in tags if tag == "script")


def test_nothing_from_elsewhere_runs_in_the_page(client: FlaskClient) -> None:
    """The policy, and a page that needs nothing it forbids: no script or style of its own text."""
    response = client.get("/")
    policy = dict(
        part.split(" ", 1) for part in response.headers["Content-Security-Policy"].split("; ")
    )
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    for directive in ("script-src", "style-src", "connect-src"):
        assert policy[directive] == "'self'"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["X-Frame-Options"] == "DENY"
    assert response.headers["Referrer-Policy"] == "same-origin"
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=", response.text)
    assert not re.search(r"https?://", response.text)


def test_the_formats_of_the_page_are_the_server_s(client: FlaskClient) -> None:
    """Of the download, and of the file that the command writes; a script names none of them."""
    text = client.get("/").text
    assert f'data-formats="{" ".join(FORMATS)}"' in text
    assert f'data-default-format="{DEFAULT_FORMAT}"' in text
    assert "${fields.audio_format ?? document.body.dataset.defaultFormat}" in (
        (STATIC / "curl.js").read_text()
    )


def test_every_file_of_the_page_is_there_with_its_type(client: FlaskClient) -> None:
    """What the page names and what its scripts import; asked again, it need not be sent again."""
    links = set(re.findall(r'"static/([^"]+)"', client.get("/").text + client.get("/docs").text))
    imports = {
        str((script.parent / name).resolve().relative_to(STATIC))
        for script in STATIC.rglob("*.js")
        for name in re.findall(r'from "(\.+/.+?)"', script.read_text())
    }
    files = {str(path.relative_to(STATIC)) for path in STATIC.rglob("*.*")}
    assert links | imports == files
    with client.get("/favicon.ico") as icon:
        assert icon.data == (STATIC / "icon.svg").read_bytes()
        assert icon.mimetype == "image/svg+xml"
    types = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
    for name in links | imports:
        with client.get(f"/static/{name}") as response:
            assert response.mimetype == types[name.rpartition(".")[2]]
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            tag = response.headers["ETag"]
        with client.get(f"/static/{name}", headers={"If-None-Match": tag}) as response:
            assert response.status_code == 304


@for_each("name", ["nothing.js", "../page.py", "%2e%2e/page.py", "", "page"])
def test_nothing_else_is_served(client: FlaskClient, name: str) -> None:
    """An error of the API, as everywhere."""
    assert_error(client.get(f"/static/{name}"), 404, "not_found")


@for_each(("path", "status"), [("//", 200), ("//api///tts", 400), ("/static//page.css", 200)])
def test_a_slash_more_changes_nothing(client: FlaskClient, path: str, status: int) -> None:
    """Base URLs end in one. A redirect would have to know the address that clients see."""
    with client.get("/", environ_overrides={"PATH_INFO": path}) as response:
        assert response.status_code == status


def test_the_page_knows_the_limits_and_formats(make_bench: MakeBench) -> None:
    """From the settings, since no list of the API has them."""
    text = make_bench(max_text_chars=99, default_language="de").client.get("/").text
    assert 'data-max-text-chars="99"' in text
    assert 'data-language="de"' in text
    assert 'data-formats="wav ' in text


def test_models_tell_what_they_can_do(client: FlaskClient) -> None:
    """The default one is first; a base model has no speakers of its own."""
    voice, small, design, clone = client.get("/models").get_json()
    assert voice == {
        "name": "voice",
        "default": True,
        "state": "ready",
        "kind": "custom_voice",
        "size": "1b7",
        "default_speaker": "Ryan",
        "takes_instruct": True,
    }
    assert (small["default"], small["state"], small["takes_instruct"]) == (
        False,
        "not loaded",
        False,
    )
    assert (design["kind"], design["default_speaker"]) == ("voice_design", None)
    assert clone["kind"] == "base"

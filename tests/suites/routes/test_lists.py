"""`/speakers`, `/languages`, `/healthz`, `/readyz`."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from flask.testing import FlaskClient

from tests.conftest import Bench
from tests.patience import PATIENCE_S
from tests.routes.apis.native.test_tts import assert_error

MakeBench = Callable[..., Bench]


def test_speakers(client: FlaskClient) -> None:
    """A list of objects with name, voice_id and a preview that can be played."""
    speakers = client.get("/speakers").get_json()
    assert [entry["name"] for entry in speakers] == ["Serena", "Uncle_Fu", "Ryan", "Dylan"]
    assert [entry["voice_id"] for entry in speakers] == [entry["name"] for entry in speakers]
    assert speakers[3]["dialect"] == "beijing_dialect"
    link = urlsplit(speakers[1]["preview_url"])
    response = client.get(f"{link.path}?{link.query}")
    assert response.headers["Content-Type"] == "audio/wav"


def test_speakers_of_a_model_without(client: FlaskClient) -> None:
    """An empty list, not an error; other models by name."""
    assert client.get("/speakers?model=design").get_json() == []
    assert [entry["name"] for entry in client.get("/speakers?model=small").get_json()] == ["Ryan"]
    assert_error(client.get("/speakers?model=x"), 400, "unknown_model", "'x'")


def test_languages(client: FlaskClient) -> None:
    """Names and codes; Auto is first."""
    assert client.get("/languages").get_json() == [
        {"name": "Auto", "code": "auto"},
        {"name": "Chinese", "code": "zh"},
        {"name": "English", "code": "en"},
        {"name": "French", "code": "fr"},
        {"name": "German", "code": "de"},
    ]


def test_health_and_readiness(make_bench: MakeBench) -> None:
    """The process answers always; the model says what it is doing, then what it is."""
    bench = make_bench(start=False)
    assert bench.client.get("/healthz").get_json() == {"status": "ok"}
    response = bench.client.get("/readyz")
    assert (response.status_code, response.get_json()["status"]) == (503, "loading")
    assert int(response.headers["Retry-After"]) > 0

    bench = make_bench()
    response = bench.client.get("/readyz")
    assert response.status_code == 200
    assert response.get_json() == {
        "status": "ready",
        "doing": "",
        "model": "voice",
        "kind": "custom_voice",
        "size": "1b7",
        "device": "cpu",
        "dtype": "float32",
        "attention": "sdpa",
        "kernels": {"frame": "plain", "codec": "plain", "prefill": "plain"},
        "models": {
            "voice": "ready",
            "small": "not loaded",
            "design": "not loaded",
            "clone": "not loaded",
        },
        "running": 0,
        "waiting": 0,
    }
    bench.pool.drain()
    response = bench.client.get("/readyz")
    assert (response.status_code, response.get_json()["status"]) == (503, "draining")
    assert bench.client.get("/healthz").status_code == 200


def test_a_process_that_only_a_new_one_can_replace_is_not_healthy(bench: Bench) -> None:
    """The orchestrator restarts it; `recovering` is no reason to."""
    bench.runner.error = RuntimeError("CUDA error: unspecified launch failure")
    assert bench.client.get("/api/tts?text=Hi").status_code == 500
    assert bench.lost.wait(PATIENCE_S)
    response = bench.client.get("/healthz")
    assert (response.status_code, response.get_json()["status"]) == (503, "failed")
    response = bench.client.get("/readyz")
    assert (response.status_code, response.get_json()["status"]) == (503, "failed")

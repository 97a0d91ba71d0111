"""Where a text is heard, before the first frame or in frames: by kind, setting and field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from werkzeug.test import TestResponse

from qwen_tts_api.errors import InvalidRequest
from qwen_tts_api.service.request import SpeechRequest
from tests.conftest import Bench
from tests.fakes import CUSTOM_VOICE
from tests.recordings import recording
from tests.rows import for_each

MakeBench = Callable[..., Bench]


def in_frames(bench: Bench, model: str, **fields: Any) -> bool:
    """Return where a model heard a request."""
    if model == "clone":
        fields |= {"ref_audio": recording(2), "ref_text": "Hello."}
    if model == "design":
        fields |= {"instruct": "A voice."}
    bench.service.synthesize(SpeechRequest("Hi.", model=model, **fields))
    return bench.hub.runners[model].prompts[-1].text_in_frames


@pytest.mark.parametrize("model", ["voice", "design", "clone"])
def test_all_text_comes_first_unless_a_request_wants_it_in_frames(bench: Bench, model: str) -> None:
    """Clones, too, which upstream gives text in frames: their speech gets faster and faster."""
    assert not in_frames(bench, model)
    assert in_frames(bench, model, non_streaming_mode=False)
    assert not in_frames(bench, model, non_streaming_mode=True)


def test_the_setting_is_for_clones(make_bench: MakeBench) -> None:
    bench = make_bench(non_streaming_mode=False)
    assert in_frames(bench, "clone")
    assert in_frames(bench, "clone", x_vector_only_mode=True)
    assert not in_frames(bench, "clone", non_streaming_mode=True)
    assert not in_frames(bench, "voice")
    assert not in_frames(bench, "design")


SAY: dict[str, Callable[..., TestResponse]] = {
    "json": lambda client, value: client.post(
        "/api/tts", json={"text": "Hi.", "non_streaming_mode": value}
    ),
    "form": lambda client, value: client.post(
        "/api/tts", data={"text": "Hi.", "non_streaming_mode": str(value).lower()}
    ),
    "query": lambda client, value: client.get(
        "/api/tts", query_string={"text": "Hi.", "non_streaming_mode": str(value).lower()}
    ),
    "openai": lambda client, value: client.post(
        "/v1/audio/speech", json={"input": "Hi.", "voice": "Ryan", "non_streaming_mode": value}
    ),
    "elevenlabs": lambda client, value: client.post(
        "/v1/text-to-speech/ryan", json={"text": "Hi.", "non_streaming_mode": value}
    ),
    "marytts": lambda client, value: client.get(
        "/process", query_string={"INPUT_TEXT": "Hi.", "non_streaming_mode": str(value).lower()}
    ),
}


@for_each("api", SAY)
def test_every_api_takes_it(bench: Bench, api: str) -> None:
    for value in (False, True):
        response = SAY[api](bench.client, value)
        assert response.status_code == 200, response.text
        assert bench.runner.prompts[-1].text_in_frames is not value


def test_a_model_that_hears_no_words_refuses_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where clients cannot do without a field, it is ignored, and named."""
    card = replace(CUSTOM_VOICE, streaming_text=False)
    monkeypatch.setattr(bench.pool.cards, "get", lambda name: card)
    refused = SAY["json"](bench.client, False)
    assert refused.status_code == 400
    assert list(refused.get_json()["fields"]) == ["non_streaming_mode"]
    assert SAY["json"](bench.client, True).status_code == 200
    ignored = SAY["openai"](bench.client, False)
    assert ignored.headers["X-Ignored-Parameters"] == "non_streaming_mode"
    assert not bench.runner.prompts[-1].text_in_frames


def test_text_that_arrives_word_by_word_is_heard_in_frames(make_bench: MakeBench) -> None:
    """A request that wants both is refused; before a setting the field goes."""
    bench = make_bench(live_mode="continuous")
    both = SpeechRequest(live_mode="continuous", non_streaming_mode=True)
    with pytest.raises(InvalidRequest, match="'live_mode'"):
        bench.service.live(both)
    for request, mode in (
        (replace(both, live_mode=""), "segments"),
        (replace(both, non_streaming_mode=False), "continuous"),
        (SpeechRequest(), "continuous"),
    ):
        live = bench.service.live(request)
        assert live.info.mode == mode
        live.cancel()

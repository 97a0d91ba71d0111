"""Pauses, SSML and several voices, by every API that has a place for them."""

from __future__ import annotations

import base64
import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from werkzeug.test import TestResponse

from qwen_tts_api.errors import NotSupported
from qwen_tts_api.model.utterance import Prompt
from qwen_tts_api.service.request import SpeechRequest
from qwen_tts_api.service.text.script.elements import ELEMENTS
from qwen_tts_api.service.text.script.turns import Turn
from tests.audio.decoding import decode
from tests.conftest import Bench
from tests.recordings import recording
from tests.rows import for_each

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "ssml.md"

MakeBench = Callable[..., Bench]

SSML = '<speak>Hello, <break time="1.5s"/> you <voice name="Serena">and I</voice>.</speak>'


def prompts_of(bench: Bench) -> list[Prompt]:
    """Return what was spoken, in its order."""
    return bench.runner.prompts


def spoken(bench: Bench) -> list[tuple[str, str | None]]:
    return [(prompt.text, prompt.speaker) for prompt in prompts_of(bench)]


def samples_of(response: TestResponse) -> npt.NDArray[np.int16]:
    """Return the samples of a WAV file."""
    assert response.status_code == 200, response.text
    return decode("wav", response.data, 24_000)


def silences(samples: npt.NDArray[np.int16], least: int = 240) -> list[int]:
    """Return the lengths of all runs of digital silence; the fake's tone has none."""
    others = np.flatnonzero(np.concatenate([[1], samples, [1]]))
    return [int(length) for length in np.diff(others) - 1 if length >= least]


def say(bench: Bench, **fields: Any) -> TestResponse:
    return bench.client.post("/api/tts", json=fields)


APIS: dict[str, Callable[[Bench], TestResponse]] = {
    "native": lambda bench: say(bench, text=SSML, ssml=True),
    "native query": lambda bench: bench.client.get(
        "/api/tts", query_string={"text": SSML, "ssml": "true"}
    ),
    "native form": lambda bench: bench.client.post("/api/tts", data={"text": SSML, "ssml": "true"}),
    "OpenAI": lambda bench: bench.client.post(
        "/v1/audio/speech", json={"input": SSML, "ssml": True, "response_format": "wav"}
    ),
    "MaryTTS": lambda bench: bench.client.post(
        "/process", data={"INPUT_TEXT": SSML, "INPUT_TYPE": "SSML", "AUDIO": "WAVE"}
    ),
    "ElevenLabs": lambda bench: bench.client.post(
        "/v1/text-to-speech/Ryan?output_format=wav_24000",
        json={"text": SSML, "enable_ssml_parsing": True},
    ),
    "ElevenLabs query": lambda bench: bench.client.post(
        "/v1/text-to-speech/Ryan/stream?output_format=wav_24000&enable_ssml_parsing=true",
        json={"text": SSML},
    ),
}


@pytest.mark.parametrize("api", APIS)
def test_ssml_by_every_api(bench: Bench, api: str) -> None:
    samples = samples_of(APIS[api](bench))
    assert spoken(bench) == [("Hello,", "ryan"), ("you", "ryan"), ("and I", "serena")]
    assert silences(samples)[0] == 36_000


@for_each("speed", [0.5, 1, 2])
@for_each("stream", [False, True])
def test_a_stated_pause_is_exact_at_every_speed(bench: Bench, speed: float, stream: bool) -> None:
    """Speech is faster, its pause is not; also at the beginning, at the end, and several."""
    text = (
        '<break time="0.5s"/>Hello<break time="1s"/><break time="0.5s"/>you.<break time="250ms"/>'
    )
    fields = {"text": text, "ssml": True, "speed": speed, "stream": stream}
    samples = samples_of(say(bench, **fields))
    assert silences(samples, 1000) == [12_000, 36_000, 6_000]
    speech = len(samples) - 54_000
    assert abs(speech - 9 * 1920 / speed) < 2400


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100, 48_000])
def test_a_stated_pause_is_exact_at_every_rate(bench: Bench, rate_hz: int) -> None:
    """A longer pause is longer by exactly so many samples; a filter's edge reaches 3 ms into it."""
    lengths = []
    for seconds in (1, 2):
        fields = {"text": f'Hi <break time="{seconds}s"/> you', "ssml": True, "seed": 1}
        response = say(bench, **fields, audio_format="pcm", sample_rate=rate_hz)
        samples = np.frombuffer(response.data, "<i2")
        (silence,) = silences(samples, rate_hz // 2)
        assert abs(silence - seconds * rate_hz) <= 0.006 * rate_hz
        lengths.append(len(samples))
    assert lengths[1] - lengths[0] == rate_hz


def test_a_tempo_is_of_its_passage_alone(bench: Bench) -> None:
    one = say(bench, text="abcdefghij", speed=2).data
    text = 'abcdefghij<break strength="none"/><prosody rate="200%">abcdefghij</prosody>'
    samples = samples_of(say(bench, text=text, ssml=True))
    assert abs(len(samples) - 1.5 * 19_200) < 1500
    assert len(decode("wav", one, 24_000)) == 9_600
    response = say(bench, text='<prosody rate="200%">a</prosody>', ssml=True, speed=3)
    assert response.status_code == 400
    assert response.get_json()["error"].startswith(
        "SSML, line 1, column 1: The speed would be 6 times"
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"text": "*Hello* [pause 1.5s] **you [pause] and I**.", "pause_marks": True},
        {"turns": [{"text": "Hello [pause 1.5s] you [pause] and I."}], "pause_marks": True},
        {"text": "[Ryan] Hello [pause 1.5s] you\n[pause] and I.", "speaker_marks": True}
        | {"pause_marks": True},
    ],
)
def test_marks_of_pauses(bench: Bench, fields: dict[str, Any]) -> None:
    """In whatever plain text there is, Markdown and all."""
    samples = samples_of(say(bench, **fields))
    assert [text for text, _ in spoken(bench)] == ["Hello", "you", "and I."]
    assert silences(samples) == [36_000, 18_000]


def test_marks_are_text_where_nobody_asks(make_bench: MakeBench) -> None:
    """By setting they are pauses, unless a request says that they are none."""
    text = "[Music] Hello [pause 1s] <break time='1s'/> you."
    bench = make_bench(served=("voice",))
    assert silences(samples_of(say(bench, text=text, stream=True))) == []
    assert spoken(bench) == [("[Music] Hello [pause 1s] \n you.", "ryan")]
    bench = make_bench(served=("voice",), pause_marks=True)
    say(bench, text="Hello [pause 1s] you.")
    say(bench, text="Hello [pause 1s] you.", pause_marks=False)
    say(bench, text="Hello [pause 1s] you.", ssml=True)
    assert [text for text, _ in spoken(bench)] == ["Hello", "you."] + ["Hello [pause 1s] you."] * 2


def test_breaks_in_elevenlabs_text(bench: Bench) -> None:
    """They count without a switch, and the rest of the text is plain."""
    response = bench.client.post(
        "/v1/text-to-speech/Ryan?output_format=wav_24000",
        json={"text": 'R&D <break time="1.5s" /> *you* [pause 1s] <i>and I</i>.'},
    )
    assert silences(samples_of(response)) == [36_000]
    assert [text for text, _ in spoken(bench)] == ["R&D", "you [pause 1s] and I."]


def test_turns_have_a_speaker_each(bench: Bench) -> None:
    """And an instruction and a language; what one lacks is the request's."""
    response = say(
        bench,
        turns=[
            {"speaker": "Ryan", "text": "Hello.", "instruct": "glad"},
            {"speaker": "serena", "text": "Hallo!", "language": "de"},
            {"text": "Bye."},
        ],
        speaker="Dylan",
        instruct="sad",
        seed=7,
    )
    samples = samples_of(response)
    assert [
        (each.text, each.speaker, each.instruct, each.language) for each in prompts_of(bench)
    ] == [
        ("Hello.", "ryan", "glad", "auto"),
        ("Hallo!", "serena", "sad", "german"),
        ("Bye.", "dylan", "sad", "auto"),
    ]
    assert response.headers["X-Segments"] == "3"
    assert response.headers["X-Seed"] == "7"
    assert prompts_of(bench)[0].sampling.seed == 7
    assert len({each.sampling.seed for each in prompts_of(bench)}) == 3
    assert [abs(length - 6000) < 3 for length in silences(samples)] == [True, True]
    again = say(bench, text="[Ryan] Hello.\n[Serena] Hallo!\n[Dylan] Bye.", speaker_marks=True)
    assert spoken(bench)[3:] == spoken(bench)[:3]
    assert len(samples_of(again)) == len(samples)


def test_turns_by_other_apis(bench: Bench) -> None:
    """In OpenAI's and ElevenLabs' bodies, and as JSON in a form."""
    turns = [{"speaker": "Serena", "text": "Hello."}]
    for response in (
        bench.client.post("/v1/audio/speech", json={"turns": turns}),
        bench.client.post("/v1/text-to-speech/Ryan", json={"turns": turns}),
        bench.client.post("/api/tts", data={"turns": '[{"speaker": "Serena", "text": "Hello."}]'}),
    ):
        assert response.status_code == 200, response.text
    assert spoken(bench) == [("Hello.", "serena")] * 3


def test_registered_voices_take_turns(bench: Bench) -> None:
    """With a recording of the request's, too; a model's speakers are of another model."""
    for name, seconds in (("Anna", 1.5), ("Ben", 2.5)):
        bench.service.voices.add(name, recording(seconds), "What is said.")
    turns = [{"speaker": "Anna", "text": "One."}, {"speaker": "ben", "text": "Two."}]
    assert say(bench, turns=turns).headers["X-Model"] == "clone"
    first, second = bench.hub.runners["clone"].prompts
    assert first.reference
    assert second.reference
    assert first.reference.key != second.reference.key
    given = {"ref_audio": base64.b64encode(recording(3.5)).decode(), "ref_text": "This is."}
    assert say(bench, turns=[{"text": "Mine."}, turns[0]], **given).status_code == 200
    *_, mine, other = bench.hub.runners["clone"].prompts
    assert mine.reference
    assert mine.reference.text == "This is."
    assert other.reference
    assert other.reference.key == first.reference.key
    turns[1]["speaker"] = "Ryan"
    response = say(bench, turns=turns)
    assert response.status_code == 400
    assert response.get_json()["error"] == (
        "Turn 2: This is a voice of the model 'voice', but the text begins with one of 'clone': a "
        "request has the voices of one model."
    )


@for_each(
    ("fields", "message"),
    [
        ({"text": "<s>a", "ssml": True}, "SSML, line 1, column 1: <s> is not closed."),
        (
            {"text": "a\n<voice name='Bob'>b</voice>", "ssml": True},
            "SSML, line 2, column 1: Unknow",
        ),
        ({"text": "<lang xml:lang='xx'>b</lang>", "ssml": True}, "SSML, line 1, column 1: Unknown"),
        (
            {"text": "a\n[Bob] b", "speaker_marks": True},
            "Line 2: Unknown speaker 'Bob'; allowed ar",
        ),
        ({"turns": [{"text": "a"}, {"text": "b", "speaker": "Bob"}]}, "Turn 2: Unknown speaker 'B"),
        ({"turns": [{"text": "a", "language": "xx"}]}, "Turn 1: Unknown language 'xx'; allowed ar"),
        ({"turns": [{"text": "a"}], "text": "b"}, "Give 'text' or 'turns', not both."),
        ({"turns": [{"text": "a"}], "ssml": True}, "'ssml' and 'turns' exclude each other"),
        ({"text": "a", "ssml": True, "speaker_marks": True}, "'ssml' and 'speaker_marks' exclude"),
        (
            {"text": "a", "ssml": True, "pause_marks": True},
            'In SSML a pause is <break time="1.5s"/',
        ),
        ({"turns": []}, "Text parameter is required"),
        ({"turns": [{"text": " "}]}, "turns: Turn 1: text is missing or blank."),
        ({"turns": [{"speaker": "Ryan"}]}, "turns: Turn 1: text is missing or blank."),
        (
            {"turns": [{"text": "a", "voice": "b"}]},
            "turns: Turn 1 has 'voice'; known are text, spe",
        ),
        ({"turns": [{"text": 1}]}, "turns: Turn 1: text is no string."),
        ({"turns": ["a"]}, "turns: Turn 1 is no object."),
        ({"turns": {"text": "a"}}, "turns: Not a list such as"),
        ({"text": "a[pause 1m]", "pause_marks": True}, "In '[pause 1m]' '1m' is no time"),
        ({"text": "[pause 10s]" * 31, "pause_marks": True}, "All pauses together have 310 s; allo"),
        (
            {"turns": [{"text": "a" * 3000}] * 2},
            "The texts of 'turns' have 6000 characters togethe",
        ),
        ({"text": "a" * 4097, "ssml": True}, "The text has 4097 characters"),
        ({"text": "<s>...</s>", "ssml": True}, "The text has no letters"),
        ({"text": "<speak></speak>", "ssml": True}, "There is nothing to speak"),
        ({"text": "[Ryan]\n[Serena]", "speaker_marks": True}, "There is nothing to speak"),
        ({"text": "a", "pauses": True}, "Unknown field 'pauses': did you mean 'pause_marks'?"),
    ],
)
def test_what_is_wrong_is_refused(bench: Bench, fields: dict[str, Any], message: str) -> None:
    response = say(bench, **fields)
    assert response.status_code == 400
    assert response.get_json()["error"].startswith(message)


@pytest.mark.parametrize(
    "fields",
    [
        {"text": '<break time="2s"/>', "ssml": True},
        {"text": "[pause 2s]", "pause_marks": True},
        {"text": "... [pause 1s] ! [pause 1s]", "pause_marks": True, "speed": 2},
    ],
)
def test_pauses_alone_are_a_silence(bench: Bench, fields: dict[str, Any]) -> None:
    """As long as they say, which is what was asked for."""
    response = say(bench, **fields)
    assert np.array_equal(samples_of(response), np.zeros(48_000))
    assert response.headers["X-Finish-Reason"] == "nothing_to_say"
    assert response.headers["X-Segments"] == "0"
    assert spoken(bench) == []


def test_a_plain_text_is_as_ever(bench: Bench) -> None:
    """The same prompts and bytes, whatever is in brackets or tags."""
    for text in ("Hello.", "[Ryan] Hello.", "A <break/> b", "One. " * 50):
        plain = say(bench, text=text, seed=1, speed=1.5)
        assert plain.data == say(bench, turns=[{"text": text}], seed=1, speed=1.5).data
    first, *_ = prompts_of(bench)
    assert (first.text, first.sampling.seed) == ("Hello.", 1)


def test_a_designed_voice_is_invented_once(bench: Bench) -> None:
    """As long as nothing is stated that divides the text."""
    text = "<p>One.<s>Two.</s></p><p>Three.</p><break/><s>Four.</s>Five"
    assert say(bench, text=text, ssml=True, model="design", instruct="low").status_code == 200
    prompts = bench.hub.runners["design"].prompts
    assert [each.text for each in prompts] == ["One. Two.\n\nThree.", "Four. Five"]


def test_a_pause_before_all_waits_for_the_speech(make_bench: MakeBench) -> None:
    """So that what fails before there is any has its status."""
    bench = make_bench(served=("voice",))
    bench.runner.prefill_error = RuntimeError("no")
    response = say(bench, text='<break time="1s"/>Hello', ssml=True, stream=True)
    assert (response.status_code, response.get_json()["code"]) == (500, "synthesis_failed")
    response = say(bench, text='<break time="1s"/>Hello', ssml=True, stream=True)
    assert silences(samples_of(response)) == [24_000]


def test_times_are_those_of_the_audio(bench: Bench) -> None:
    """Pauses included."""
    text = '<break time="1s"/>Hello<break time="2s"/>you.'
    body = say(bench, text=text, ssml=True, timestamps=True).get_json()
    first, second = body["segments"]
    assert abs(first["start"] - 1.0) < 0.1
    assert abs(second["start"] - first["end"] - 2.0) < 0.1


def rows(heading: str) -> list[list[str]]:
    """Return the cells of a table of the document."""
    lines = DOCUMENT.read_text().splitlines()
    begin = lines.index(heading) + 2
    table = itertools.takewhile(lambda line: line.startswith("|"), lines[begin:])
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table]


def test_the_document_s_examples_are_spoken(bench: Bench) -> None:
    """Each of them, as it says."""
    examples = [example.strip("`") for example, _ in rows("| try | hear |")]
    assert len(examples) > 5
    for example in examples:
        assert say(bench, text=example, ssml=True).status_code == 200, example
    texts = [text for text, _ in spoken(bench)]
    for text in ("World Wide Web Consortium wrote it.", "R&D: a < b", "Second", "Fast."):
        assert text in texts
    assert "On February first, twenty twenty-six" in texts


def test_the_document_tells_every_element_and_attribute() -> None:
    told = {
        name: frozenset(re.findall(r"`([^`]+)`", attributes))
        for names, attributes, _ in rows("| element | attributes | meaning |")
        for name in re.findall(r"`([^`]+)`", names)
    }
    assert told == {name: each.required | each.optional for name, each in ELEMENTS.items()}


@pytest.mark.parametrize("ssml", [False, True])
@pytest.mark.parametrize("path", ["", "/stream"])
def test_characters_have_their_times_beside_pauses(bench: Bench, path: str, ssml: bool) -> None:
    """All of the text as it came is aligned; the pause is as long as it says."""
    text = 'It &amp; I <break time="1.5s"/> paid $5. '
    response = bench.client.post(
        f"/v1/text-to-speech/Ryan{path}/with-timestamps?output_format=pcm_24000",
        json={"text": text, "enable_ssml_parsing": ssml, "normalize": "full"},
    )
    parts = [json.loads(line) for line in response.data.splitlines()]
    audio = b"".join(base64.b64decode(part["audio_base64"]) for part in parts)
    assert 36_000 in silences(np.frombuffer(audio, np.int16))
    for name, said in (
        ("alignment", text),
        ("normalized_alignment", "It and I paid five dollars."),
    ):
        told = [part[name] for part in parts if part[name]]
        assert "".join("".join(each["characters"]) for each in told) == said
        ends = [end for each in told for end in each["character_end_times_seconds"]]
        assert ends == sorted(ends)
        assert ends[-1] <= len(audio) / 48_000 + 0.001


@pytest.mark.parametrize("fields", [{"ssml": True}, {"turns": (Turn("a"),), "text": ""}])
def test_a_text_that_arrives_is_of_no_form_that_is_understood_as_a_whole(
    bench: Bench, fields: dict[str, Any]
) -> None:
    with pytest.raises(NotSupported, match="send all of the text in one request"):
        bench.service.live(SpeechRequest(**{"text": "a", **fields}))


def test_a_wrong_switch_in_the_query_is_refused_as_in_the_body(bench: Bench) -> None:
    """Where both have it, the body's counts."""
    path = "/v1/text-to-speech/Ryan?output_format=pcm_24000&enable_ssml_parsing="
    wrong = {"text": "a", "enable_ssml_parsing": "maybe"}
    for query, body in (("maybe", {"text": "a"}), ("false", wrong)):
        response = bench.client.post(path + query, json=body)
        assert response.status_code == 400
        assert "enable_ssml_parsing: Must be true or false." in response.text
    plain = {"text": "<b>a</b>", "enable_ssml_parsing": False}
    assert bench.client.post(path + "true", json=plain).status_code == 200


def test_tags_of_elevenlabs_count_in_turns_and_behind_names(bench: Bench) -> None:
    tagged = 'a <break time="1.5s" /> b'
    for fields in (
        {"turns": [{"text": tagged}]},
        {"text": f"[Serena] {tagged}", "speaker_marks": True},
    ):
        path = "/v1/text-to-speech/Ryan?output_format=wav_24000"
        assert silences(samples_of(bench.client.post(path, json=fields))) == [36_000]


def test_voices_of_a_script_are_ignored_by_setting(make_bench: MakeBench) -> None:
    """As those of a request are; their fields are named."""
    bench = make_bench(served=("voice",), unknown_speaker="default")
    response = say(bench, turns=[{"text": "a", "speaker": "Serena"}, {"text": "b", "speaker": "X"}])
    assert spoken(bench) == [("a", "serena"), ("b", "ryan")]
    assert response.headers["X-Ignored-Parameters"] == "speaker"

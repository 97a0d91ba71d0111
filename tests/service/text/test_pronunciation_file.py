"""The file of pronunciations."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from qwen_tts_api.errors import ConfigError
from qwen_tts_api.service.text.pronunciation_file import (
    find_pronunciations,
    parse_pronunciations,
    read_pronunciations,
)
from qwen_tts_api.service.text.verbalize import pronunciations
from qwen_tts_api.service.text.verbalize.pronunciations import MAX_WORDS


def test_lines_are_words_and_respellings() -> None:
    lines = parse_pronunciations(
        "\ufeff# names\n\n nginx = engine ex \r\na=b = c\n[Deutsch?]\n[German]\nnginx=x\n".encode()
    )
    assert lines.of("english") == {"nginx": "engine ex", "a=b": "c"}
    assert lines.of("german") == {"nginx": "x", "a=b": "c"}
    assert lines.faults == [
        "line 5 names the language 'Deutsch?'; allowed are chinese, english, french, german, "
        "italian, japanese, korean, portuguese, russian, spanish"
    ]
    assert lines.summary == "3 words"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"nginx\n", "line 1 is 'nginx'; a line is 'word = respelling'"),
        (b"a = b\n = c\n", "line 2"),
        (b"a =\n", "line 1"),
        (b"a = b\na = c\n", "line 2 has 'a', which an earlier line has, too"),
        (b"\xff = b\n", "line 1 is not UTF-8"),
        (b"a = " + b"b" * 300, "line 1 has more than 200 characters"),
        (b"".join(b"w%d = x\n" % n for n in range(MAX_WORDS + 1)), "more than 10000 words"),
    ],
)
def test_a_wrong_line_is_told_at_the_start(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        read_pronunciations(path)
    assert "QWEN_PRONUNCIATIONS" in str(error.value)
    assert message in str(error.value)


def test_a_request_goes_before_the_file() -> None:
    lines = parse_pronunciations(b"SQL = sequel\nA = b")
    (edit,) = find_pronunciations(lines, "auto", (("sql", "squeal"),)).find_edits("SQL")
    assert edit.text == "squeal"


def test_the_file_is_not_compiled_for_each_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second for 10,000 words, of which a request may add new ones every time."""
    lines = parse_pronunciations(b"SQL = sequel\nA = b")
    find_pronunciations(lines, "auto", ())
    compiled: list[str] = []
    compile_words = pronunciations._compile

    def counted(words: Collection[str]) -> object:
        compiled.extend(words)
        return compile_words(words)

    monkeypatch.setattr(pronunciations, "_compile", counted)
    find_pronunciations(lines, "auto", (("nginx", "engine ex"),))
    assert compiled == ["nginx"]

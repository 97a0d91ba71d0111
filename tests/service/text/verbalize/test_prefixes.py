"""Which rules are tried at a place: those that can match, and few others."""

from __future__ import annotations

import random

import pytest

from qwen_tts_api.service.text.verbalize import prefixes
from qwen_tts_api.service.text.verbalize.languages import LANGUAGES
from qwen_tts_api.service.text.verbalize.prefixes import Prefixes
from qwen_tts_api.service.text.verbalize.verbalizer import make_verbalizer
from tests.service.text.verbalize.test_verbalizer import ENGLISH

ALL = make_verbalizer(LANGUAGES["english"])._rules["digit"].all_rules


def _matching(rules: object, text: str, begin: int) -> list[int]:
    assert isinstance(rules, tuple)
    return [ALL.index(rule) for rule in rules if rule.pattern.match(text, begin)]


def test_every_rule_that_matches_is_tried() -> None:
    """At each digit of the table of what is said, and of random mixtures of it."""
    fast, mixed = Prefixes(ALL), random.Random(1)
    parts = [part for text, _ in ENGLISH for part in text.split(" ")]
    texts = [text for text, _ in ENGLISH[::2]]
    texts += ["".join(mixed.choices([*parts, " ", ","], k=6)) for _ in range(60)]
    for text in texts:
        for begin in (place for place, char in enumerate(text) if char in "0123456789"):
            tried = fast.rules_at(text, begin, len(text))
            assert _matching(tried, text, begin) == _matching(ALL, text, begin), (text, begin)


@pytest.mark.parametrize("text", ["1/1/1/1/", "1,1,1,1,", "1-\t1-\t", "1漢1漢"])
def test_few_rules_are_tried(text: str) -> None:
    assert len(ALL) > 30
    assert len(Prefixes(ALL).rules_at(text, 0, len(text))) < 8


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefixes, "MAX_NODES", 8)
    fast = Prefixes(ALL)
    for number in range(30):
        fast.rules_at(f"{number}/", 0, 3)
    assert fast.num_nodes <= 8
    assert fast.rules_at("5/", 0, 2) == Prefixes(ALL).rules_at("5/", 0, 2)

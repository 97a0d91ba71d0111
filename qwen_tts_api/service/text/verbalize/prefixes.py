"""Which rules can hold at a place, by its first characters: a trie of what patterns begin with.

A place is tried by some forty patterns, of which a handful can match `12/`. A pattern that does not
match the beginning of a place even in part matches nothing there, and is asked once for each
beginning.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from qwen_tts_api.service.text.patterns import compile_pattern
from qwen_tts_api.service.text.verbalize.numerals import NO_SPACES
from qwen_tts_api.service.text.verbalize.rules.rule import Rule

MAX_PREFIX_CHARS = 6
MAX_NODES = 8192
"""Beginnings that are remembered: 4 MB."""
_FEW_RULES = 4
_UNSPACED = compile_pattern(NO_SPACES)


class _Node:
    """A beginning: the rules that can hold behind it, and longer ones by their next character."""

    __slots__ = ("children", "rules")

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self.rules = rules
        self.children: dict[str, _Node] = {}


class Prefixes:
    """The rules of a place, in their order, by what it begins with.

    Attributes:
        all_rules: Of any beginning.
        num_nodes: How many beginnings are remembered.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.all_rules = tuple(rules)
        self._root = _Node(self.all_rules)
        self.num_nodes = 1
        # What stands in no pattern is matched by its category alone.
        self._known = {char for rule in rules for char in rule.pattern.pattern}
        self._known |= set(map(chr, range(128)))
        self._stand_ins: dict[tuple[str, bool], str] = {}

    def rules_at(self, text: str, begin: int, limit: int) -> tuple[Rule, ...]:
        """Return the rules that may match at a place of a text.

        Args:
            text: A sentence.
            begin: Of the place.
            limit: How far a rule sees.
        """
        node, end = self._root, min(begin + MAX_PREFIX_CHARS, limit, len(text))
        for position in range(begin, end):
            if len(node.rules) <= _FEW_RULES:
                break
            char = text[position]
            if char not in self._known:
                char = self._stand_in(char)
            child = node.children.get(char)
            if child is None:
                child = self._grow(node, char, text[begin:position] + char)
            node = child
        return node.rules

    def _grow(self, node: _Node, char: str, prefix: str) -> _Node:
        if self.num_nodes >= MAX_NODES:
            self._root, self.num_nodes = _Node(self.all_rules), 1
        rules = tuple(rule for rule in node.rules if _may_match(rule, prefix))
        child = node.children[char] = _Node(rules)
        self.num_nodes += 1
        return child

    def _stand_in(self, char: str) -> str:
        """Return the first character that was seen of the same category."""
        is_unspaced = _UNSPACED.match(char) is not None
        return self._stand_ins.setdefault((unicodedata.category(char), is_unspaced), char)


def _may_match(rule: Rule, prefix: str) -> bool:
    """Return whether a pattern matches what a text begins with, or a part of that."""
    return any(
        rule.pattern.match(before + prefix, len(before), partial=True) for before in rule.behind
    )

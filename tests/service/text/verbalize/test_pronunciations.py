"""Whole words and their respellings, in the scripts of ten languages."""

from __future__ import annotations

import random
import unicodedata

from qwen_tts_api.service.text.verbalize.edits import apply
from qwen_tts_api.service.text.verbalize.pronunciations import MAX_CHARS, Pronunciations
from tests.rows import for_each

RESPELLED = Pronunciations(
    {
        **{"SQL": "sequel", "nginx": "engine ex", "US": "you ess", "gif": "jif", "Linux": "linnux"},
        **{"New York": "noo york", "SQL Server": "sequel serve her", "C": "see", "C++": "see plus"},
        **{".NET": "dot net", "B2B": "bee to bee", "Müller": "Mueller", "eau": "o", "los": "loss"},
        **{"重庆": "崇庆", "アイ": "あい", "서울": "서우르", "Москва": "Масква", "São": "Saun"},
        **{"don't": "doughnt", "O’Neill": "oh neel", "7": "seffen"},
        **{"İzmir": "Ismir", "ızgara": "isgara"},
        **{"e.g.": "for instance", "read": "red", "Read": "reed", "perché": "perke"},
    }
)


@for_each(
    ("text", "said"),
    [
        ("SQL, sql and Sql", "sequel, sequel and sequel"),
        ("Nginx is NGINX.", "engine ex is engine ex."),
        ("SQLs, SQL's, gif’s, gifs", "sequels, sequel's, jif’s, jifs"),
        ("two Linuxs", "two linnuxes"),
        ("MySQL SQLite SQL_x SQL2", "MySQL SQLite SQL_x SQL2"),
        ("SQL-based (SQL) 'SQL'", "sequel-based (sequel) 'sequel'"),
        ("US and us, read and Read", "you ess and us, red and reed"),
        ("New  York, new york's", "noo york, noo york's"),
        ("SQL Server and SQL Servers", "sequel serve her and sequel serve hers"),
        ("C, C++ and C+++", "see, see plus and C+++"),
        (".NET, ASP.NET", "dot net, ASP.NET"),
        ("B2B e.g. B2BX", "bee to bee for instance B2BX"),
        ("Herr Müller, Müllers, Müllerin", "Herr Mueller, Muellers, Müllerin"),
        ("l'eau, l’eau, beau", "l'o, l’o, beau"),
        ("los libros, perché São", "loss libros, perke Saun"),
        ("Москва, в Москвае", "Масква, в Москвае"),
        ("我在重庆市", "我在崇庆市"),
        ("アイとアイス", "あいとアイス"),
        ("서울에서 가서울", "서우르에서 가서울"),
        ("don't, Don’t, O'Neill and O’Neill", "doughnt, doughnt, oh neel and oh neel"),
        ("7, 7. and 7.5 of 0.7", "seffen, seffen. and 7.5 of 0.7"),
        ("İzmir, izmir, ızgara, I", "Ismir, Ismir, isgara, I"),
    ],
)
def test_words_are_respelled(text: str, said: str) -> None:
    assert apply(text, RESPELLED.find_edits(text)) == said


def test_either_form_of_unicode_is_found() -> None:
    decomposed = unicodedata.normalize("NFD", "Müller São")
    assert apply(decomposed, RESPELLED.find_edits(decomposed)) == "Mueller Saun"


def test_nothing_is_replaced_twice() -> None:
    circle = Pronunciations({"one": "two", "two": "one", "two two": "x"})
    text = "one two one"
    assert apply(text, circle.find_edits(text)) == "two one two"
    assert Pronunciations({"a b": "a b"}).find_edits("a b") == []


def test_many_words_take_no_longer_than_few() -> None:
    many = Pronunciations({f"word{number}": f"w {number}" for number in range(5000)})
    text = "word1 and word4999 and word5000. " * 300
    assert len(many.find_edits(text)) == 600


def test_own_words_and_others_are_found_as_by_one_pattern() -> None:
    """Whichever has the longer one; where both have a word, own ones count."""
    words = ["a", "b", "ab", "a b", "b a", "a b a", "us", "US", "a-b", "中", "中文"]
    chars = random.Random(7)
    for _ in range(60):
        others = {word: f"o{index}" for index, word in enumerate(chars.sample(words, 5))}
        own = {word: f"w{index}" for index, word in enumerate(chars.sample(words, 2))}
        taken = {word.casefold() for word in own}
        kept = {word: said for word, said in others.items() if word.casefold() not in taken}
        text = " ".join(chars.choices([*words, "c", "c中文", "As", "a's"], k=8))
        layered = Pronunciations(own, Pronunciations(others)).find_edits(text)
        assert layered == Pronunciations(kept | own).find_edits(text), (own, others, text)


def test_words_may_begin_alike_however_often() -> None:
    """Patterns that nest too deep are no patterns: a request of such words was a 500."""
    words = {"a" * length: f"w{length}" for length in range(1, MAX_CHARS + 1)}
    words |= {"a" * length + " b": f"v{length}" for length in range(1, 100)}
    respelled = Pronunciations(words)
    for text, said in (
        ("a" * 200 + " a", "w200 w1"),
        ("aaa aaaa b " + "a" * 150, "w3 v4 w150"),
        ("a" * 99 + " b", "v99"),
        ("a" * 201, "a" * 201),
    ):
        assert apply(text, respelled.find_edits(text)) == said

"""Guess a text's language, where the request leaves it to the model (`Auto`)."""

from __future__ import annotations

import re
from collections import Counter

from qwen_tts_api.service.text.verbalize.languages import LANGUAGES
from qwen_tts_api.service.text.verbalize.languages.language import Language

MAX_GUESSED_CHARS = 4096
"""Of a text, by whose beginning its language is guessed."""

# Words that are frequent in one of these languages, and rare in the others.
_FREQUENT = {
    "english": "the and of is are was to that it for with you this have has at by from not we",
    "german": "der die das und ist nicht ein eine mit von auf für ich sie wir den dem zu im am um",
    "french": "le les et est des une du dans pour que qui pas sur avec au ce il nous vous à",
    "spanish": "el los las y es una por con del que para su se lo más como pero son está",
    "italian": "il gli è di che una per con non sono della nel alle ha questo più anche",
    "portuguese": "o os as é um uma não com para do da dos em mais foi são ao pelo você",
}
_LANGUAGES = {word: name for name, words in _FREQUENT.items() for word in words.split()}
_SHARED = {word for word, num in Counter(" ".join(_FREQUENT.values()).split()).items() if num > 1}
_LETTERS = {"ß": "german", "ä": "german", "ñ": "spanish", "¿": "spanish", "¡": "spanish"}
_LETTERS |= {"ç": "french", "œ": "french", "ã": "portuguese", "õ": "portuguese"}
_WORD = re.compile(r"[a-zà-öø-ÿœ]+|[¿¡]")
_KANA_OR_HANGUL = re.compile("[\u3041-\u30fa\uac00-\ud7a3]")
_HAN = re.compile("[\u4e00-\u9fff]")
_OTHER = re.compile("[\u0370-\u06ff]")


def guess_language(text: str) -> Language | None:
    """Return the language of a text by its script and its frequent words.

    Without any evidence it is English; None where it has no words for numbers here.
    """
    text = text[:MAX_GUESSED_CHARS].lower()
    if _KANA_OR_HANGUL.search(text) or _OTHER.search(text):
        return None
    if _HAN.search(text):
        return LANGUAGES.get("chinese")
    found: Counter[str] = Counter()
    for word in _WORD.findall(text):
        if word in _LANGUAGES and word not in _SHARED:
            found[_LANGUAGES[word]] += 2
        for letter in _LETTERS.keys() & set(word):
            found[_LETTERS[letter]] += 1
    name = found.most_common(1)[0][0] if found else "english"
    return LANGUAGES.get(name)

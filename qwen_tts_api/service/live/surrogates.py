"""Characters that come as two halves, in two pieces of a text."""

from __future__ import annotations

from qwen_tts_api.errors import UnspeakableText


def join_surrogates(text: str) -> tuple[str, str]:
    """Return a text whose surrogate pairs are characters, and the half of one that it ends with.

    Raises:
        UnspeakableText: A half has no other half.
    """
    rest = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
    text = text.removesuffix(rest)
    if not any("\ud800" <= char <= "\udfff" for char in text):
        return text, rest
    try:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le"), rest
    except UnicodeDecodeError:
        raise UnspeakableText(
            "The text is not valid Unicode: it contains half of a surrogate pair.",
            fields={"text": ["Not valid Unicode."]},
        ) from None

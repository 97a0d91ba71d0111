"""Load a checkpoint's text tokenizer, as qwen-tts does, without transformers.

qwen-tts uses transformers' `Qwen2TokenizerFast` with `fix_mistral_regex=True`, which wraps a
`Tokenizer` of the library `tokenizers`. It is created directly here, since importing transformers
takes three seconds. Source: transformers 4.57.3, `Qwen2Converter`,
`PreTrainedTokenizerFast.__init__` and `_patch_mistral_regex`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from packaging.version import Version
from tokenizers import AddedToken, Regex, Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import BPE

from qwen_tts_api.checkpoints.documents import Document, read_json
from qwen_tts_api.errors import LoadError

QWEN2_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
MISTRAL_WORDS = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

MISTRAL_VOCABULARY = 100_000
"""With a smaller vocabulary transformers does not apply Mistral's regex."""

START = "<|im_start|>"
"""The token that every template begins with."""

ROLE, ROLE_TOKENS = f"{START}assistant\n", 3
"""The beginning of every prompt, and its number of tokens, which `prompt.py` relies on."""

_ROLE_NAME = ROLE.removeprefix(START)
_OPEN_NUMBER = re.compile(r"(?:[^\w\s]|\d)*\d(?:[^\w\s]|\d)*$")

_SPECIAL_TOKENS = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
_SPECIAL_DEFAULTS = dict.fromkeys(("eos", "unk", "pad"), "<|endoftext|>")


class PromptTokenizer:
    """Tokenizes prompts: special tokens are recognized in templates, never in clients' texts.

    qwen-tts tokenizes the template with the text inserted, so that `<tts_pad>` in a text becomes
    the special token (prompt injection). Here texts are tokenized by the same model, normalizer and
    pre-tokenizer, but without added tokens: `<tts_pad>` is nine characters. The ids of other texts
    are those of qwen-tts.

    Attributes:
        whole: The checkpoint's tokenizer, special tokens included.
    """

    def __init__(self, whole: Tokenizer) -> None:
        self.whole = whole
        self._plain = Tokenizer(whole.model)
        self._plain.normalizer = whole.normalizer
        self._plain.pre_tokenizer = whole.pre_tokenizer

    def encode(self, template: str, text: str) -> list[int]:
        """Return the token ids of a template with a text in place of `{}`.

        Args:
            template: Begins with START, and has an added token behind `{}`.
            text: The client's text.
        """
        role, rest = template.removeprefix(START).split("{}")
        # Role and text are tokenized as one string, since white space between them is one token.
        return [
            *self.whole.encode(START).ids,
            *self._ids(role + text),
            *self.whole.encode(rest).ids,
        ]

    def stable_prefix(self, text: str) -> str:
        """Return as much of a text as is tokenized alike whatever follows.

        It ends before the last piece of the pre-tokenizer, which may go on, and before a number
        that may: its first digits would be read out before their place is known.
        """
        number = _OPEN_NUMBER.search(text)
        text = _ROLE_NAME + (text[: number.start()] if number else text)
        assert self._plain.pre_tokenizer is not None
        *_, (_, (start, _)) = self._plain.pre_tokenizer.pre_tokenize_str(text)
        return text[len(_ROLE_NAME) : start]

    def text_ids(self, text: str) -> list[int]:
        """Return the ids of a text alone, as `encode` has them in a template."""
        return self._ids(_ROLE_NAME + text)[ROLE_TOKENS - 1 :]

    def text_offsets(self, text: str) -> list[tuple[int, int]]:
        """Return which characters of a text each of its tokens has, as `encode` makes them."""
        encoding = self._plain.encode(_ROLE_NAME + text)
        begin = len(_ROLE_NAME)
        offsets = encoding.offsets[ROLE_TOKENS - 1 :]
        return [(max(start - begin, 0), end - begin) for start, end in offsets]

    def _ids(self, text: str) -> list[int]:
        # `encode` holds the GIL; this method releases it.
        (encoding,) = self._plain.encode_batch_fast([text])
        ids: list[int] = encoding.ids
        return ids


def load_tokenizer(folder: Path, model: Document) -> PromptTokenizer:
    """Load a checkpoint's tokenizer from tokenizer.json, or from vocab.json and merges.txt.

    Args:
        folder: Of the checkpoint.
        model: Its config.json.

    Raises:
        LoadError: A file is missing or damaged, or the chat template does not fit.
    """
    try:
        path = folder / "tokenizer_config.json"
        config = read_json(path) if path.is_file() else {}
        tokenizer = _of_files(folder)
        _add_tokens(tokenizer, config)
        if _takes_mistral_words(tokenizer, model.get("transformers_version")):
            words = pre_tokenizers.Split(Regex(MISTRAL_WORDS), behavior="isolated")
            tokenizer.pre_tokenizer[0] = words
    except LoadError:
        raise
    except OSError as error:
        raise LoadError(f"{error.filename} cannot be read: {error.strerror}.") from error
    except Exception as error:  # tokenizers raises plain Exception
        raise LoadError(f"The tokenizer in {folder} cannot be read: {error}") from error
    if len(tokenizer.encode(ROLE).ids) != ROLE_TOKENS:
        raise LoadError(
            f"The tokenizer in {folder} does not make {ROLE_TOKENS} tokens of {ROLE!r}."
        )
    return PromptTokenizer(tokenizer)


def _of_files(folder: Path) -> Tokenizer:
    path = folder / "tokenizer.json"
    if path.is_file():
        tokenizer = Tokenizer.from_file(str(path))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer
    for name in ("vocab.json", "merges.txt"):
        (folder / name).open().close()  # its error has the file name; that of `BPE` has not
    bpe = BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt"))
    tokenizer = Tokenizer(bpe)
    tokenizer.normalizer = normalizers.NFC()
    words = pre_tokenizers.Split(Regex(QWEN2_WORDS), behavior="isolated")
    bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([words, bytes_])
    return tokenizer


def _add_tokens(tokenizer: Tokenizer, config: dict[str, Any]) -> None:
    """Add the tokens of tokenizer_config.json in the order of their ids, and mark special ones.

    Tokens that the tokenizer already has are unchanged.
    """
    named = [config.get(f"{name}_token", _SPECIAL_DEFAULTS.get(name)) for name in _SPECIAL_TOKENS]
    named += config.get("additional_special_tokens") or []
    special = [each["content"] if isinstance(each, dict) else each for each in named if each]
    added = sorted(config.get("added_tokens_decoder", {}).items(), key=lambda item: int(item[0]))
    tokens = [AddedToken(**token) for _, token in added]
    for token in tokens:
        token.special = token.special or token.content in special
    tokens += [AddedToken(content, special=True, normalized=False) for content in special]
    tokenizer.add_tokens(tokens)
    tokenizer.encode_special_tokens = config.get("split_special_tokens", False)


def _takes_mistral_words(tokenizer: Tokenizer, written_by: str | None) -> bool:
    """Return whether transformers applies Mistral's regex, as it does for published checkpoints.

    Args:
        tokenizer: A tokenizer.
        written_by: `transformers_version` in config.json.
    """
    if tokenizer.get_vocab_size(with_added_tokens=False) <= MISTRAL_VOCABULARY:
        return False
    return written_by is None or Version("4.57.2") < Version(written_by) < Version("5.0.0")

"""A checkpoint's text tokenizer, as qwen-tts has it, without transformers.

qwen-tts asks transformers for a `Qwen2TokenizerFast` with `fix_mistral_regex=True`. What that makes
of a checkpoint's files is a `Tokenizer` of the library `tokenizers`, which is made here directly,
without the three seconds that importing transformers takes. Source: transformers 4.57.3,
`Qwen2Converter`, `PreTrainedTokenizerFast.__init__` and `_patch_mistral_regex`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from packaging.version import Version
from tokenizers import AddedToken, Regex, Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import BPE

from qwen_tts_api.checkpoints.documents import read_json
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
"""transformers takes no smaller vocabulary for Mistral's."""

START = "<|im_start|>"
"""The token that every template begins with."""

ROLE, ROLE_TOKENS = f"{START}assistant\n", 3
"""What every prompt begins with; `prompt.py` counts on its length."""

_SPECIAL_TOKENS = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
_SPECIAL_DEFAULTS = dict.fromkeys(("eos", "unk", "pad"), "<|endoftext|>")


class PromptTokenizer:
    """Tokenizes prompts: templates have special tokens in them, and clients' texts never do.

    qwen-tts tokenizes the template with the text in it, so that `<tts_pad>` in a text is that
    token, and obeyed. Here a text is tokenized by the same model, normalizer and rules of words,
    but without any added token, so that `<tts_pad>` is nine characters. Where a text has no added
    token in it, the ids are those of qwen-tts.

    Attributes:
        whole: The checkpoint's tokenizer, special tokens included.
    """

    def __init__(self, whole: Tokenizer) -> None:
        self.whole = whole
        self._plain = Tokenizer(whole.model)
        self._plain.normalizer = whole.normalizer
        self._plain.pre_tokenizer = whole.pre_tokenizer

    def encode(self, template: str, text: str) -> list[int]:
        """Return the ids of a template with a text in the place of its `{}`.

        Args:
            template: Begins with START, and has another added token behind the text.
            text: Whatever a client sent.
        """
        role, rest = template.removeprefix(START).split("{}")
        # The role and the text are words of one string: they may have white space between them.
        return [
            *self.whole.encode(START).ids,
            *self._ids(role + text),
            *self.whole.encode(rest).ids,
        ]

    def _ids(self, text: str) -> list[int]:
        # Only this lets other threads run meanwhile; `encode` holds the GIL.
        (encoding,) = self._plain.encode_batch_fast([text])
        ids: list[int] = encoding.ids
        return ids


def load_tokenizer(folder: Path) -> PromptTokenizer:
    """Return a checkpoint's tokenizer: of its tokenizer.json, else of vocab.json and merges.txt.

    Raises:
        LoadError: A file is missing or damaged, or prompts cannot be made with it.
    """
    try:
        path = folder / "tokenizer_config.json"
        config = read_json(path) if path.is_file() else {}
        model = read_json(folder / "config.json")
        tokenizer = _of_files(folder)
        _add_tokens(tokenizer, config)
        if _takes_mistral_words(tokenizer, model.get("transformers_version")):
            words = pre_tokenizers.Split(Regex(MISTRAL_WORDS), behavior="isolated")
            tokenizer.pre_tokenizer[0] = words
    except LoadError:
        raise
    except OSError as error:
        raise LoadError(f"{error.filename} cannot be read: {error.strerror}.") from error
    except Exception as error:  # tokenizers raises nothing more special
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
        (folder / name).open().close()  # its error tells the name, which that of `BPE` does not
    bpe = BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt"))
    tokenizer = Tokenizer(bpe)
    tokenizer.normalizer = normalizers.NFC()
    words = pre_tokenizers.Split(Regex(QWEN2_WORDS), behavior="isolated")
    bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([words, bytes_])
    return tokenizer


def _add_tokens(tokenizer: Tokenizer, config: dict[str, Any]) -> None:
    """Add the tokens that no merges make, in the order of their ids, then special ones among them.

    Those that the tokenizer has already stay as they are.
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
    """Tell whether transformers takes the tokenizer for one of Mistral's, as of all published ones.

    Args:
        tokenizer: A tokenizer.
        written_by: The version of transformers that config.json names.
    """
    if tokenizer.get_vocab_size(with_added_tokens=False) <= MISTRAL_VOCABULARY:
        return False
    return written_by is None or Version("4.57.2") < Version(written_by) < Version("5.0.0")

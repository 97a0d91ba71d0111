r"""The text tokenizer of a nano checkpoint: Qwen2's byte-level BPE with a handful of merges.

Every byte is a symbol, so that any text can be tokenized. The merges make the chat roles single
tokens, as the prompt's format requires (`<|im_start|>assistant\n` is three tokens), and the most
frequent pairs of English: a token has about 1.2 characters, which at one frame of 80 ms a token
(`duration.py`) is 15 characters a second, the rate of speech.
"""

from __future__ import annotations

from typing import Any

# In order of precedence; Ġ is a space in byte-level BPE. First the most frequent pairs, then the
# merges that make the roles.
_MERGES = (
    *("h e", "i n", "a n", "e r", "o n", "s t", "i s", "a s", "u s", "e m", "o r", "e n", "o u"),
    *("Ġ t", "Ġ a", "Ġ s", "Ġ w", "Ġ o", "Ġ f"),
    *("i st", "s ist", "as sist", "an t", "assist ant", "us er", "s y", "st em", "sy stem"),
)

# As published, in the same order.
_ADDED_TOKENS = tuple(
    """
    <|endoftext|> <|im_start|> <|im_end|> <|object_ref_start|> <|object_ref_end|> <|box_start|>
    <|box_end|> <|quad_start|> <|quad_end|> <|vision_start|> <|vision_end|> <|vision_pad|>
    <|image_pad|> <|video_pad|> <tool_call> </tool_call> <|fim_prefix|> <|fim_middle|>
    <|fim_suffix|> <|fim_pad|> <|repo_name|> <|file_sep|> <tool_response> </tool_response> <think>
    </think> <|audio_start|> <|audio_end|> <tts_pad> <tts_text_bos> <tts_text_eod>
    <tts_text_bos_single> <|audio_pad|>
    """.split()
)
# <tool_call> to </think> are added tokens, but not special ones: decoding keeps them.
_NOT_SPECIAL = frozenset(_ADDED_TOKENS[14:26])

_ROWS_MULTIPLE = 128  # the published embedding, too, has more rows than there are tokens


def _byte_symbols() -> list[str]:
    """Return the 256 printable characters that stand for the bytes, in the order of GPT-2's table.

    Printable Latin-1 characters stand for themselves; the other bytes take the characters from
    U+0100 on, in the order of their values. So a space (32) becomes Ġ (U+0120).
    """
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1)]
    printable += range(ord("®"), ord("ÿ") + 1)
    others = 256 - len(printable)
    return [chr(code) for code in printable] + [chr(0x100 + index) for index in range(others)]


_SYMBOLS = [*_byte_symbols(), *(pair.replace(" ", "") for pair in _MERGES)]

TOKEN_IDS: dict[str, int] = {
    token: index for index, token in enumerate((*_SYMBOLS, *_ADDED_TOKENS))
}
ADDED_TOKEN_IDS: tuple[int, ...] = tuple(TOKEN_IDS[token] for token in _ADDED_TOKENS)
VOCABULARY_ROWS = -(-len(TOKEN_IDS) // _ROWS_MULTIPLE) * _ROWS_MULTIPLE


def vocabulary() -> dict[str, int]:
    """Return `vocab.json`: symbol to id, without the added tokens."""
    return {symbol: TOKEN_IDS[symbol] for symbol in _SYMBOLS}


def merges_text() -> str:
    """Return `merges.txt`."""
    return "\n".join(("#version: 0.2", *_MERGES)) + "\n"


def tokenizer_config() -> dict[str, Any]:
    """Return `tokenizer_config.json`, which also defines the added tokens."""
    return {
        "add_bos_token": False,
        "add_prefix_space": False,
        "added_tokens_decoder": {
            str(TOKEN_IDS[token]): {
                "content": token,
                "lstrip": False,
                "normalized": False,
                "rstrip": False,
                "single_word": False,
                "special": token not in _NOT_SPECIAL,
            }
            for token in _ADDED_TOKENS
        },
        "additional_special_tokens": [t for t in _ADDED_TOKENS[1:] if t not in _NOT_SPECIAL],
        "bos_token": None,
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|im_end|>",
        "errors": "replace",
        "model_max_length": 131072,
        "pad_token": "<|endoftext|>",
        "processor_class": "Qwen3TTSProcessor",
        "split_special_tokens": False,
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
    }

"""The ids of qwen-tts's own tokenizer, of any text, but that no text can spell a special token."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, normalizers

from qwen_tts_api.checkpoints.card import read_config
from qwen_tts_api.checkpoints.nano import SPEAKING_FOLDER, ensure_nano
from qwen_tts_api.checkpoints.nano.tokenizer import TOKEN_IDS
from qwen_tts_api.checkpoints.qwen_tts_import import import_qwen_tts
from qwen_tts_api.checkpoints.tokenizer import MISTRAL_VOCABULARY, PromptTokenizer, load_tokenizer
from qwen_tts_api.errors import LoadError
from qwen_tts_api.model.prompt import INSTRUCTION_TEMPLATE, REFERENCE_TEMPLATE, SPEECH_TEMPLATE
from tests.rows import for_each

TEMPLATES = (SPEECH_TEMPLATE, REFERENCE_TEMPLATE, INSTRUCTION_TEMPLATE)
PIECES = [
    *"aAzZ09.,!?/\\'\"-_ \t\n\r\f\v\u00a0\u3000\u200b\u0301\u0308éüßßıİΣςЖ가한中文日本語かなñ",
    *("😀", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f1e9\U0001f1ea", "\U0010ffff"),
    *("don't", "WE'LL", "it'S", "HTTPServer", "camelCase", "e\u0301", "n\u0303", "ﬁ", "Ⅻ", "½"),
    *("<", "|>", "<|im_", "im_start|>", "_pad", "{}", "{0}"),
    *("  ", "\r\n", "\n\n ", "...", "//", "12345", "١٢", "assistant", "user", " the", "\ud7a3"),
]


def texts(count: int) -> list[str]:
    """Return texts of all scripts, and of what is between words."""
    draw = random.Random(5)
    made = ["".join(draw.choices(PIECES, k=draw.randrange(24))) for _ in range(count)]
    points = [chr(draw.randrange(32, 0xD7FF)) for _ in range(count)]
    return [*made, *points, *("".join(points[start : start + 7]) for start in range(0, count, 7))]


def upstream_tokenizer(folder: Path) -> Any:
    """Return what `Qwen3TTSModel.from_pretrained` tokenizes with."""
    from transformers import AutoConfig, AutoProcessor

    models = import_qwen_tts().core.models
    AutoConfig.register("qwen3_tts", models.Qwen3TTSConfig, exist_ok=True)
    AutoProcessor.register(models.Qwen3TTSConfig, models.Qwen3TTSProcessor, exist_ok=True)
    return AutoProcessor.from_pretrained(str(folder), fix_mistral_regex=True).tokenizer


def assert_same_ids(folder: Path, count: int = 400) -> Tokenizer:
    ours, theirs = load_tokenizer(folder, read_config(folder)), upstream_tokenizer(folder)
    added = theirs.get_added_vocab()
    for text in texts(count):
        if any(token in text for token in added):
            continue
        for template in TEMPLATES:
            said = template.replace("{}", text)
            assert ours.encode(template, text) == theirs(said)["input_ids"], repr(said)
    assert_no_added_token(ours)
    return ours.whole


def assert_no_added_token(tokenizer: PromptTokenizer) -> None:
    """Whatever a text spells, only the template's tokens are added ones, and the text is there."""
    own = tokenizer.whole.get_vocab(with_added_tokens=False)
    added = {token: i for token, i in tokenizer.whole.get_vocab().items() if token not in own}
    draw = random.Random(7)
    spelled = [*added, *("".join(draw.choices([*added, *PIECES], k=9)) for _ in range(200))]
    for text in spelled:
        for template in TEMPLATES:
            ids, empty = tokenizer.encode(template, text), tokenizer.encode(template, "")
            obeyed = [[i for i in each if i in added.values()] for each in (ids, empty)]
            assert obeyed[0] == obeyed[1], repr(text)
            assert len(ids) >= len(empty) + bool(text.strip())


@pytest.fixture(scope="module")
def nano(nano_cache: Path) -> Path:
    """Return the folder of a checkpoint that has vocab.json and merges.txt."""
    return ensure_nano("nano", nano_cache)


@pytest.fixture
def folder(nano: Path, tmp_path: Path) -> Path:
    """Return a folder with the documents of that checkpoint, to be changed."""
    for path in nano.glob("*.*"):
        if path.suffix != ".safetensors":
            shutil.copy(path, tmp_path)
    return tmp_path


def change(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def write_large_vocabulary(folder: Path) -> None:
    """Give a checkpoint as many tokens as published ones have, words of English among them."""
    vocabulary = json.loads((folder / "vocab.json").read_text())
    config = json.loads((folder / "tokenizer_config.json").read_text())
    symbols = list(vocabulary)
    letters, merges = "etaoinshrdlu", (folder / "merges.txt").read_text().splitlines()[1:]
    pairs = [f"{a} {b}" for a in letters for b in letters]
    pairs += [f"Ġ {a}" for a in letters] + [
        f"{c} {a}{b}" for a in "the" for b in "re" for c in "oi"
    ]
    pairs += ["/ /", "Ã ©", "A B", "t H"]
    merges += [pair for pair in pairs if pair not in merges]
    for pair in merges:
        if pair.replace(" ", "") not in symbols:
            symbols.append(pair.replace(" ", ""))
    symbols += [f"unused{index}" for index in range(MISTRAL_VOCABULARY + 1 - len(symbols))]
    vocabulary = {symbol: index for index, symbol in enumerate(symbols)}
    added = config["added_tokens_decoder"].values()
    config["added_tokens_decoder"] = {len(symbols) + n: token for n, token in enumerate(added)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("\n".join(("#version: 0.2", *merges)) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


@pytest.mark.slow
def test_ids_of_a_vocabulary_and_merges(nano: Path) -> None:
    assert assert_same_ids(nano).get_vocab_size() == len(TOKEN_IDS)


def test_ids_of_the_embedded_voice() -> None:
    assert_same_ids(SPEAKING_FOLDER)


@pytest.mark.slow
@pytest.mark.parametrize("written_by", [None, "4.46.1", "4.57.2", "4.57.3", "4.60.0", "5.0.0"])
def test_ids_of_a_large_vocabulary(folder: Path, written_by: str | None) -> None:
    """It has Mistral's words where transformers takes it for Mistral's, as the published ones."""
    write_large_vocabulary(folder)
    change(folder / "config.json", transformers_version=written_by)
    tokenizer = assert_same_ids(folder, 60)
    is_taken = written_by in (None, "4.57.3", "4.60.0")
    assert len(tokenizer.encode("tH").ids) == (2 if is_taken else 1)


@for_each("template", TEMPLATES)
@for_each("token", ["<tts_pad>", "<tts_text_bos>", "<|im_end|>", "<think>"])
def test_what_a_text_spells_is_read(nano: Path, template: str, token: str) -> None:
    """Character by character, also what would be obeyed, special or not."""
    tokenizer = load_tokenizer(nano, read_config(nano))
    bare = tokenizer.encode(template, "|")
    place = bare.index(TOKEN_IDS["|"])
    ids = tokenizer.encode(template, token)
    spelled = ids[place : len(ids) - (len(bare) - place - 1)]
    assert "".join(tokenizer.whole.id_to_token(index) for index in spelled) == token
    assert len(spelled) > 1


def lower(tokenizer: Tokenizer) -> None:
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])


def truncate(tokenizer: Tokenizer) -> None:
    tokenizer.enable_truncation(5)
    tokenizer.enable_padding(length=9)


@pytest.mark.slow
@pytest.mark.parametrize("edit", [lambda tokenizer: None, lower, truncate])
@pytest.mark.parametrize("size", ["small", "large"])
def test_ids_of_a_tokenizer_json(
    folder: Path, size: str, edit: Callable[[Tokenizer], None]
) -> None:
    """It goes before the other files; of what it says, only cutting and padding do not count."""
    if size == "large":
        write_large_vocabulary(folder)
    tokenizer = load_tokenizer(folder, read_config(folder)).whole
    edit(tokenizer)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "vocab.json").unlink()
    (folder / "merges.txt").unlink()
    assert_same_ids(folder, 60)


@pytest.mark.parametrize(
    "changes",
    [
        {"additional_special_tokens": ["<mine>", "user"], "eos_token": "Hello"},
        {"pad_token": None, "unk_token": {"__type": "AddedToken", "content": "zZ"}},
    ],
)
def test_ids_with_other_special_tokens(folder: Path, changes: dict[str, Any]) -> None:
    change(folder / "tokenizer_config.json", **changes)
    assert_same_ids(folder, 100)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("vocab.json", None, r"vocab\.json cannot be read: No such file"),
        ("merges.txt", None, r"merges\.txt cannot be read: No such file"),
        ("tokenizer_config.json", None, "does not make 3 tokens of "),
        ("vocab.json", "{", "The tokenizer in .* cannot be read"),
        ("tokenizer.json", "[]", "The tokenizer in .* cannot be read"),
        ("tokenizer_config.json", "{", r"tokenizer_config\.json is not JSON"),
        ("tokenizer_config.json", "{}", "does not make 3 tokens of "),
    ],
)
def test_a_damaged_tokenizer(folder: Path, name: str, content: str | None, message: str) -> None:
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content)
    with pytest.raises(LoadError, match=message):
        load_tokenizer(folder, read_config(folder))


def test_special_tokens_that_are_split_make_no_prompt(folder: Path) -> None:
    change(folder / "tokenizer_config.json", split_special_tokens=True)
    with pytest.raises(LoadError, match="does not make 3 tokens of"):
        load_tokenizer(folder, read_config(folder))

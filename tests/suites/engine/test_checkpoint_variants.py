"""What is served of what people have: judged alike by doctor and by the server at its start."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from qwen_tts_api.checkpoints.card import read_config
from qwen_tts_api.checkpoints.checkpoint import Checkpoint
from qwen_tts_api.checkpoints.nano import ensure_nano
from qwen_tts_api.checkpoints.tokenizer import load_tokenizer
from qwen_tts_api.cli.doctor.checkpoints import check_files
from qwen_tts_api.cli.doctor.findings import ERROR
from qwen_tts_api.cli.doctor.subject import Subject
from qwen_tts_api.config.settings import DEFAULT_CACHE_DIR
from qwen_tts_api.engine.loading import LoadOptions, load_runner
from qwen_tts_api.engine.runner.interface import Runner
from qwen_tts_api.errors import LoadError

WEIGHTS, CODEC = "model.safetensors", "speech_tokenizer/model.safetensors"
Change = Callable[[Path], object]
Tensors = dict[str, Tensor]


def load(model_id: str, await_place: Callable[[], None] = lambda: None) -> Runner:
    options = LoadOptions("cpu", "float32", "sdpa", DEFAULT_CACHE_DIR, 1, 512, True)
    return load_runner(model_id, options, lambda card: None, lambda doing: None, await_place)


def doctor_says(model_id: str) -> tuple[bool, str]:
    """Return whether doctor has no objection, and what it says."""
    environ = {"QWEN_MODEL_ID": model_id, "QWEN_DEVICE": "cpu", "QWEN_DTYPE": "float32"}
    findings = list(check_files(Subject.from_env(environ)))
    said = " ".join(finding.message for finding in findings)
    return all(finding.level != ERROR for finding in findings), said


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(ensure_nano("nano", DEFAULT_CACHE_DIR), tmp_path / "nano")


def edit(name: str, change: Callable[[Any], object]) -> Change:
    """Return what changes a JSON file."""

    def apply(folder: Path) -> None:
        document = json.loads((folder / name).read_text())
        change(document)
        (folder / name).write_text(json.dumps(document))

    return apply


def talker(**fields: Any) -> Change:
    return edit("config.json", lambda config: config["talker_config"].update(fields))


def codec(**fields: Any) -> Change:
    return edit("speech_tokenizer/config.json", lambda config: config.update(fields))


def without(name: str) -> Change:
    return lambda folder: (folder / name).unlink()


def rewrite(change: Callable[[Tensors], object], name: str = WEIGHTS) -> Change:
    """Return what changes tensors."""

    def apply(folder: Path) -> None:
        tensors = load_file(folder / name)
        change(tensors)
        save_file(tensors, folder / name, metadata={"format": "pt"})

    return apply


def to_dtype(dtype: torch.dtype) -> Change:
    return rewrite(lambda tensors: tensors.update({n: t.to(dtype) for n, t in tensors.items()}))


def shard(folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS)
    files = {name: f"model-{index % 3}.safetensors" for index, name in enumerate(tensors)}
    for file in set(files.values()):
        save_file({n: t for n, t in tensors.items() if files[n] == file}, folder / file)
    (folder / f"{WEIGHTS}.index.json").write_text(json.dumps({"weight_map": files}))
    (folder / WEIGHTS).unlink()


def lose_a_shard(folder: Path) -> None:
    shard(folder)
    (folder / "model-1.safetensors").unlink()


def one_tokenizer_file(folder: Path) -> None:
    load_tokenizer(folder, read_config(folder)).whole.save(str(folder / "tokenizer.json"))
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):
        (folder / name).unlink()


def snapshot_of_links(folder: Path) -> None:
    """Lay it out as the hub's cache does."""
    blobs = folder.parent / "blobs"
    blobs.mkdir()
    for number, path in enumerate([each for each in folder.rglob("*") if each.is_file()]):
        path.rename(blobs / str(number))
        path.symlink_to(blobs / str(number))


def transformers_5(**more: Any) -> Change:
    """Return what spells a configuration as transformers 5 does."""

    def apply(config: Any) -> None:
        config["dtype"] = "bfloat16"
        for part in (config["talker_config"], config["talker_config"]["code_predictor_config"]):
            theta, scaling = part.pop("rope_theta"), part.pop("rope_scaling", None) or {}
            part["rope_parameters"] = scaling | {"rope_type": "default", "rope_theta": theta} | more

    return edit("config.json", apply)


def without_theta(config: Any) -> None:
    config["talker_config"].pop("rope_theta")
    config["talker_config"]["rope_parameters"] = {"rope_type": "default"}


def with_bom(folder: Path) -> None:
    path = folder / "config.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())


def cut(folder: Path) -> None:
    path = folder / WEIGHTS
    path.write_bytes(path.read_bytes()[:-1])


def only(*names: str) -> Change:
    """Return what leaves a folder with nothing but these files."""

    def apply(folder: Path) -> None:
        shutil.rmtree(folder)
        folder.mkdir()
        for name in names:
            (folder / name).write_text("{}")

    return apply


def pickled(folder: Path) -> None:
    (folder / WEIGHTS).rename(folder / "pytorch_model.bin")


NORM = "talker.model.norm.weight"
CONVOLUTION = "decoder.pre_conv.conv.weight"

SERVED: dict[str, Change] = {
    "as published": lambda folder: None,
    "shards": shard,
    "float16": to_dtype(torch.float16),
    "float32": to_dtype(torch.float32),
    "tokenizer.json alone": one_tokenizer_file,
    "a snapshot of links": snapshot_of_links,
    "extra tensors": rewrite(lambda tensors: tensors.update(steps=torch.zeros(3).long())),
    "no generation_config.json": without("generation_config.json"),
    "no preprocessor_config.json": without("preprocessor_config.json"),
    "no preprocessor of the codec": without("speech_tokenizer/preprocessor_config.json"),
    "the spelling of transformers 5": transformers_5(),
    "a byte order mark": with_bom,
    "a speaker with capitals": talker(
        spk_id={"Test_Man": 3000}, spk_is_dialect={"test_MAN": False}
    ),
    "no dialects": edit(
        "config.json", lambda config: config["talker_config"].pop("spk_is_dialect")
    ),
    "no tokenizer_type": edit("config.json", lambda config: config.pop("tokenizer_type")),
    "ids of upstream's": edit("config.json", lambda config: config.pop("im_start_token_id")),
}

REFUSED: dict[str, tuple[Change, str]] = {
    "quantised": (
        edit("config.json", lambda c: c.update(quantization_config={"quant_method": "fp8"})),
        "quantization_config",
    ),
    "quantised within": (talker(quantization_config={"bits": 4}), "quantization_config"),
    "FP8": (to_dtype(torch.float8_e4m3fn), "is in float8_e4m3fn: quantised weights are not"),
    "int8": (to_dtype(torch.int8), "is in int8: quantised weights are not served"),
    "an int8 codec": (
        rewrite(lambda tensors: tensors.update({CONVOLUTION: tensors[CONVOLUTION].char()}), CODEC),
        "decoder.pre_conv.conv.weight is in int8",
    ),
    "rope_parameters without theta": (edit("config.json", without_theta), "has no 'rope_theta'"),
    "two thetas": (
        talker(rope_parameters={"rope_theta": 5.0}),
        "talker_config says rope_theta 1000000, and 5.0 in rope_parameters",
    ),
    "another rope": (transformers_5(rope_type="yarn"), "rope_type 'yarn'"),
    "sliding layers": (talker(layer_types=["sliding_attention"]), "layer_types"),
    "a text for a number": (talker(hidden_size="64"), 'hidden_size "64"; it has to be an integer'),
    "a fraction": (talker(num_hidden_layers=2.5), "num_hidden_layers 2.5; it has to be"),
    "true for a number": (talker(vocab_size=True), "vocab_size true; it has to be"),
    "null for a number": (talker(intermediate_size=None), "intermediate_size null"),
    "a list for an object": (edit("config.json", lambda c: c.update(talker_config=[])), "[]; it"),
    "speakers in a list": (talker(spk_id=["a"]), 'spk_id ["a"]; it has to be an object'),
    "a dialect that is true": (talker(spk_is_dialect={"ryan": True}), "spk_is_dialect"),
    "a dialect without an id": (talker(spk_is_dialect={"ryan": "bavarian"}), "speaks 'bavarian'"),
    "two speakers alike": (talker(spk_id={"Bob": 1, "BOB": 2}), "'Bob' and 'BOB', which differ by"),
    "a speaker without a row": (talker(spk_id={"bob": 9999}), "has to be below"),
    "a type of model": (edit("config.json", lambda c: c.update(model_type="qwen2")), "'qwen2'"),
    "a kind of model": (edit("config.json", lambda c: c.update(tts_model_type=3)), "a text"),
    "the 25 Hz tokenizer": (codec(model_type="qwen3_tts_tokenizer_25hz"), "25hz"),
    "the 25 Hz tokenizer's name": (
        edit("config.json", lambda c: c.update(tokenizer_type="qwen3_tts_tokenizer_25hz")),
        "25hz",
    ),
    "another rate": (codec(output_sample_rate=16000), "16000 Hz"),
    "a codec's field": (codec(decoder_config={"upsample_rates": "8"}), "upsample_rates"),
    "too few codes": (talker(num_code_groups=4), "num_code_groups"),
    "a file that was cut": (cut, "bytes of"),
    "a lost shard": (lose_a_shard, "model-1.safetensors, which"),
    "a lost tensor": (rewrite(lambda tensors: tensors.pop(NORM)), f"have no {NORM}"),
    "another shape": (
        rewrite(lambda tensors: tensors.update({NORM: torch.ones(3)})),
        f"{NORM} is [3]; config.json asks for",
    ),
    "another shape in the codec": (
        rewrite(lambda tensors: tensors.update({CONVOLUTION: torch.ones(3, 3, 3)}), CODEC),
        "decoder.pre_conv.conv is [3, 3, 3]",
    ),
    "pickled weights": (pickled, "pytorch_model.bin is a pickle, which is never loaded"),
    "JSON that is none": (lambda folder: (folder / "config.json").write_text("{"), "is not JSON"),
    "an empty folder": (only(), "Is it a checkpoint?"),
    "GGUF": (only("model.gguf"), "GGUF files are not served"),
    "a LoRA adapter": (only("adapter_config.json"), "merge it into its base checkpoint"),
    "no codec": (lambda folder: shutil.rmtree(folder / "speech_tokenizer"), "cannot be read"),
    "no tokenizer": (without("vocab.json"), "vocab.json cannot be read"),
}


@pytest.mark.slow
@pytest.mark.parametrize("variant", SERVED)
def test_what_can_be_served_is(folder: Path, variant: str) -> None:
    """From the folder to the first word."""
    SERVED[variant](folder)
    is_content, said = doctor_says(str(folder))
    assert is_content, said
    load(str(folder)).close()


def never() -> None:
    raise AssertionError("it was given a place")


@pytest.mark.parametrize("variant", REFUSED)
def test_what_cannot_is_refused_in_one_sentence(folder: Path, variant: str) -> None:
    """Before any other model makes room for it, in the same words as doctor's."""
    change, sentence = REFUSED[variant]
    change(folder)
    with pytest.raises(LoadError) as raised:
        load(str(folder), never)
    assert sentence in str(raised.value)
    assert doctor_says(str(folder)) == (False, str(raised.value))


def test_a_file_is_not_a_folder(folder: Path) -> None:
    path = str(folder / WEIGHTS)
    with pytest.raises(LoadError, match="is a file: give the folder"):
        load(path, never)
    assert not doctor_says(path)[0]


def test_a_folder_that_may_not_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the user of the server; the tests' own user may read everything."""

    def refuse(self: Path) -> None:
        raise PermissionError(13, os.strerror(13), str(self))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(LoadError, match="cannot be read: Permission denied"):
        load(str(folder), never)
    assert not doctor_says(str(folder))[0]


def test_both_spellings_of_rope_are_the_same_model(folder: Path) -> None:
    """The frequency of every pair of dimensions."""
    from qwen_tts_api.model.loaded import LoadedModel
    from qwen_tts_api.model.weights.placement import Placement

    def frequencies() -> Tensor:
        placement = Placement("cpu", "float32", "sdpa")
        model = LoadedModel.load(Checkpoint.read(folder), placement)
        return model.speech.talker.decoder.inv_freq

    before = frequencies()
    transformers_5()(folder)
    assert torch.equal(frequencies(), before)

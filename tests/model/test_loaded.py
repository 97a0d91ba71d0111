"""A checkpoint in memory: qwen-tts's own tensors, whatever the kind, the dtype and the files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from bench.upstream import load_upstream
from qwen_tts_api.checkpoints.checkpoint import Checkpoint
from qwen_tts_api.checkpoints.nano import NANO_NAMES, ensure_nano
from qwen_tts_api.errors import LoadError
from qwen_tts_api.model.loaded import LoadedModel
from qwen_tts_api.model.weights.placement import Placement
from tests.model.checkpoints import codec_of


def load(folder: Path, dtype: str = "float32") -> LoadedModel:
    return LoadedModel.load(Checkpoint.read(folder), Placement("cpu", dtype, "sdpa"))


@pytest.fixture
def folder(nano_cache: Path, tmp_path: Path) -> Path:
    """Return a copy of nano, to be changed."""
    return shutil.copytree(ensure_nano("nano", nano_cache), tmp_path / "nano")


def assert_equal(ours: Tensor, theirs: Tensor) -> None:
    assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
    assert torch.equal(ours, theirs)


def assert_same_decoder(ours: Any, theirs: Any) -> None:
    """Compare a `DecoderWeights` with a model of upstream."""
    assert_equal(ours.norm, theirs.norm.weight)
    assert_equal(ours.inv_freq, theirs.rotary_emb.inv_freq)
    assert theirs.rotary_emb.attention_scaling == 1
    assert ours.eps == theirs.norm.variance_epsilon
    for block, layer in zip(ours.layers, theirs.layers, strict=True):
        attention, mlp = layer.self_attn, layer.mlp
        parts = attention.q_proj, attention.k_proj, attention.v_proj
        assert_equal(block.qkv.t(), torch.cat([part.weight for part in parts]))
        assert_equal(block.gate_up.t(), torch.cat((mlp.gate_proj.weight, mlp.up_proj.weight)))
        assert_equal(block.output.t(), attention.o_proj.weight)
        assert_equal(block.down.t(), mlp.down_proj.weight)
        assert_equal(block.input_norm, layer.input_layernorm.weight)
        assert_equal(block.post_attention_norm, layer.post_attention_layernorm.weight)
        assert_equal(block.qk_norm[0], attention.q_norm.weight)
        assert_equal(block.qk_norm[-1], attention.k_norm.weight)
        assert ours.heads.head_dim == attention.head_dim
        assert len(block.qk_norm) == ours.heads.num_query + ours.heads.num_kv


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", NANO_NAMES)
def test_the_tensors_are_those_of_qwen_tts(name: str, dtype: str, nano_cache: Path) -> None:
    """Of both language models, of what reads a prompt, of the codec and of the encoders."""
    folder = ensure_nano(name, nano_cache)
    ours = load(folder, dtype)
    upstream = load_upstream(folder, ours.placement).model
    talker, predictor = upstream.talker, upstream.talker.code_predictor
    assert_same_decoder(ours.speech.talker.decoder, talker.model)
    assert_same_decoder(ours.speech.code_predictor.decoder, predictor.model)
    assert_equal(ours.speech.talker.codec_head.t(), talker.codec_head.weight)
    tables = talker.model.codec_embedding, *predictor.model.codec_embedding
    assert_equal(ours.speech.talker.code_embeddings, torch.cat([each.weight for each in tables]))
    for head, theirs in zip(ours.speech.code_predictor.lm_heads, predictor.lm_head, strict=True):
        assert_equal(head.t(), theirs.weight)
    for table, embedding in zip(ours.speech.code_predictor.inputs, tables[:-1], strict=True):
        torch.testing.assert_close(table, predictor.small_to_mtp_projection(embedding.weight))
    assert_equal(ours.prompts.text_embedding, talker.model.text_embedding.weight)
    assert_equal(ours.prompts.contract[1], talker.text_projection.linear_fc2.bias)
    codec = upstream.speech_tokenizer.model
    assert_same_codec(ours, codec.decoder)
    assert (ours.encoders is not None) == (name == "nano-base")
    if ours.encoders is not None:
        assert_same_tensors(ours.encoders.speaker, upstream.speaker_encoder)
        assert_same_tensors(ours.encoders.codec, codec.encoder)


def assert_same_codec(ours: LoadedModel, decoder: Any) -> None:
    """Compare with what the tests of the codec compute with."""
    expected = codec_of(decoder)
    assert_equal(ours.codec.tables, expected.tables)
    assert_equal(ours.codec.transformer.inv_freq, decoder.pre_transformer.rotary_emb.inv_freq)
    assert_equal(ours.codec.transformer.layers[-1].qkv, expected.transformer.layers[-1].qkv)
    assert_equal(ours.codec.conv_out.weight, decoder.decoder[-1].conv.weight)
    assert ours.codec.samples_per_frame == decoder.total_upsample


def assert_same_tensors(ours: torch.nn.Module, theirs: torch.nn.Module) -> None:
    """Compare modules, buffers that no file has included, but for what only training reads."""
    expected = {**dict(theirs.named_parameters()), **dict(theirs.named_buffers())}
    found = {**dict(ours.named_parameters()), **dict(ours.named_buffers())}
    assert found.keys() == expected.keys()
    for name, tensor in found.items():
        if not name.endswith("codebook.initialized"):
            assert_equal(tensor, expected[name])


def test_weights_in_several_files(folder: Path) -> None:
    """As large checkpoints have them."""
    whole = load(folder)
    tensors = load_file(folder / "model.safetensors")
    files = {name: f"model-{index % 3}.safetensors" for index, name in enumerate(tensors)}
    for file in set(files.values()):
        part = {name: tensor.clone() for name, tensor in tensors.items() if files[name] == file}
        save_file(part, folder / file, metadata={"format": "pt"})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": files}))
    (folder / "model.safetensors").unlink()
    sharded = load(folder)
    assert_equal(sharded.speech.talker.code_embeddings, whole.speech.talker.code_embeddings)
    assert_equal(sharded.prompts.text_embedding, whole.prompts.text_embedding)


def test_what_is_shared_counts_once(folder: Path) -> None:
    """The code predictor of a 0.6B model reads the talker's embeddings."""
    model = load(folder)
    talker, size = model.speech.talker, model.num_bytes
    tensors = load_file(folder / "model.safetensors")
    codec = load_file(folder / "speech_tokenizer" / "model.safetensors")
    decoder = [tensor for name, tensor in codec.items() if name.startswith("decoder.")]
    numbers = sum(tensor.numel() for tensor in (*tensors.values(), *decoder))
    projected = sum(table.numel() for table in model.speech.code_predictor.inputs)
    assert 4 * numbers < size < 4 * (numbers + projected + model.codec.tables.numel()) + 100_000
    assert talker.code_embeddings.numel() * 4 < size


def test_a_field_that_is_missing_is_named(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    del config["talker_config"]["codec_bos_id"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(LoadError, match="codec_bos_id is 4197, or missing; it has to be below"):
        load(folder)


def test_a_vocabulary_that_is_smaller_than_config_json_says(folder: Path) -> None:
    """It would be read beyond its end, which on a GPU ends the process."""
    config = json.loads((folder / "config.json").read_text())
    config["talker_config"]["text_vocab_size"] += 1
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(LoadError, match=r"text_embedding.weight is \[\d+, \d+\]; config.json asks"):
        load(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file"),
        ("{", "is not JSON"),
        ('{"output_sample_rate": 16000}', "16000 Hz"),
    ],
)
def test_a_codec_without_a_configuration(folder: Path, content: str | None, message: str) -> None:
    path = folder / "speech_tokenizer" / "config.json"
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises(LoadError, match=message):
        load(folder)

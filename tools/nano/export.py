"""Step 5: export a checkpoint in the published format.

    python -m tools.nano.export FOLDER

The language model is stored in bfloat16, the speech tokenizer in float16; both load as float32.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from qwen_tts_api.checkpoints.nano import configs, tokenizer
from qwen_tts_api.checkpoints.nano.weights import Shape, Weights, sample_all
from qwen_tts_api.checkpoints.qwen_tts_import import import_qwen_tts
from tools.nano import circuit, codec, decoder, layout
from tools.nano.reader import Reader
from tools.nano.settings import NANO_DIR
from tools.nano.symbols import APOSTROPHE, END, MERGES, SPACE, WIDTH, codewords, symbol
from tools.nano.voices import VOICES

Document = dict[str, Any]

_TEXT_WIDTH = 80
_TEXT_BEGIN, _PAD = 2 * WIDTH, 2 * WIDTH + 1
_NUM_VOICE_CODES = 64  # there are two, but sampling may ask for the 50 most probable
_STRONG = 32.0  # silu(32) is 32


def vocabulary() -> dict[str, int]:
    """Return every token's id, special ones last."""
    tokens = [*tokenizer._byte_symbols(), *(pair.replace(" ", "") for pair in MERGES)]
    tokens += tokenizer._ADDED_TOKENS
    return {token: index for index, token in enumerate(tokens)}


def model_config() -> Document:
    """Return `config.json`: the nano checkpoint's, with these sizes, voices and languages."""
    ids = vocabulary()
    document = deepcopy(configs.model_config("custom_voice"))
    for key, token in (
        ("assistant_token_id", "assistant"),
        ("im_end_token_id", "<|im_end|>"),
        ("im_start_token_id", "<|im_start|>"),
        ("tts_bos_token_id", "<tts_text_bos>"),
        ("tts_eos_token_id", "<tts_text_eod>"),
        ("tts_pad_token_id", "<tts_pad>"),
    ):
        document[key] = ids[token]
    document["tts_model_size"] = "0b6"  # as that one, it takes no instruction
    document["streaming_text"] = False  # it was trained with all text before the first frame
    # A frame reaches from the middle of a token's state to that of the next, and is said one later.
    document["speech_lag_frames"] = 1.5
    document["text_characters"] = "letters"  # digits and other signs were in none of its texts
    talker = document["talker_config"]
    talker |= {
        "codec_language_id": {"english": configs.LANGUAGES["english"]},
        "head_dim": layout.HEAD_DIM,
        "hidden_size": layout.HIDDEN,
        "intermediate_size": layout.INTERMEDIATE,
        "num_attention_heads": layout.NUM_HEADS,
        "num_code_groups": 2,
        "num_hidden_layers": layout.NUM_LAYERS,
        "num_key_value_heads": layout.NUM_KV_HEADS,
        "rope_theta": layout.ROPE_THETA,
        "spk_id": {name: configs.SPEAKERS[name] for name in VOICES},
        "spk_is_dialect": dict.fromkeys(VOICES, False),
        "text_hidden_size": _TEXT_WIDTH,
        "text_vocab_size": -(-len(ids) // 128) * 128,
    }
    talker["code_predictor_config"] |= {
        "num_code_groups": 2,
        "num_hidden_layers": 1,
        "layer_types": ["full_attention"],
        "vocab_size": _NUM_VOICE_CODES,
    }
    return document


def speech_tokenizer_config() -> Document:
    """Return `speech_tokenizer/config.json`."""
    document = deepcopy(configs.SPEECH_TOKENIZER)
    document["encoder_valid_num_quantizers"] = 2
    document["encoder_config"] |= {"num_quantizers": 2}
    document["decoder_config"] |= {
        "codebook_dim": codec.CODEBOOK_DIM,
        "decoder_dim": codec.DECODER,
        "hidden_size": codec.HIDDEN,
        "intermediate_size": decoder.INTERMEDIATE,
        "latent_dim": codec.LATENT,
        "num_hidden_layers": decoder.NUM_LAYERS,
        "num_quantizers": 2,
    }
    return document


def checkpoint_files(reader: Weights, sounds: Weights, loudest: float) -> dict[str, bytes]:
    """Return every file by its path.

    Args:
        reader: What was trained (`reader.Reader.tensors`).
        sounds: What was fitted (`decoder.Decoder`), by name.
        loudest: The greatest amplitude of what was fitted.
    """
    config, codec_config = model_config(), speech_tokenizer_config()
    talker_shapes, codec_shapes = _tensor_shapes(config, codec_config)
    talker = {name: torch.zeros(shape) for name, shape in talker_shapes.items()}
    parts = {name.removeprefix("talker."): tensor for name, tensor in talker.items()}
    circuit.install(parts, reader)
    _install_text(parts)
    speech = sample_all(codec_shapes)
    codec.install(speech, sounds, loudest)
    tokenizer_config = tokenizer.tokenizer_config()
    ids = vocabulary()
    tokenizer_config["added_tokens_decoder"] = {
        str(ids[entry["content"]]): entry
        for entry in tokenizer_config["added_tokens_decoder"].values()
    }
    symbols = {token: index for token, index in ids.items() if token not in tokenizer._ADDED_TOKENS}
    return {
        "config.json": _json(config),
        "generation_config.json": _json(configs.GENERATION),
        "preprocessor_config.json": _json(configs.PREPROCESSOR),
        "tokenizer_config.json": _json(tokenizer_config),
        "vocab.json": _json(symbols),
        "merges.txt": "\n".join(("#version: 0.2", *MERGES, "")).encode(),
        "model.safetensors": _safetensors(talker, torch.bfloat16),
        "speech_tokenizer/config.json": _json(codec_config),
        "speech_tokenizer/preprocessor_config.json": _json(configs.SPEECH_TOKENIZER_PREPROCESSOR),
        "speech_tokenizer/model.safetensors": _safetensors(speech, torch.float16),
    }


def _install_text(talker: Weights) -> None:
    """Let each token's row bring its codeword or its flag, and every row the constant.

    The activation lets no negative number through, so that a codeword comes in two halves.
    """
    ids, words = vocabulary(), torch.from_numpy(codewords())
    table = talker["model.text_embedding.weight"]
    for token, index in ids.items():
        word = words[_symbol_of(token)] if token not in tokenizer._ADDED_TOKENS else None
        if token == "<tts_text_eod>":
            word = words[END]
        if word is not None:
            table[index, :WIDTH] = _STRONG * (word > 0)
            table[index, WIDTH : 2 * WIDTH] = _STRONG * (word < 0)
    table[ids["<tts_text_bos>"], _TEXT_BEGIN] = _STRONG
    table[ids["<tts_pad>"], _PAD] = _STRONG
    talker["text_projection.linear_fc1.weight"].copy_(torch.eye(_TEXT_WIDTH))
    contract = talker["text_projection.linear_fc2.weight"]
    contract[layout.LETTER, :WIDTH] = torch.eye(WIDTH) / _STRONG
    contract[layout.LETTER, WIDTH : 2 * WIDTH] = -torch.eye(WIDTH) / _STRONG
    contract[layout.IS_TEXT_BEGIN, _TEXT_BEGIN] = 1 / _STRONG
    contract[layout.IS_PAD, _PAD] = layout.PAD_VALUE / _STRONG
    talker["text_projection.linear_fc2.bias"][layout.CONSTANT] = layout.CONSTANT_VALUE


def _symbol_of(token: str) -> int:
    """Return the symbol of a token of byte-level BPE, which writes a space as Ġ."""
    return SPACE if token == "Ġ" else APOSTROPHE if token == "'" else symbol(token)


def _tensor_shapes(
    config: Document, codec_config: Document
) -> tuple[dict[str, Shape], dict[str, Shape]]:
    """Ask upstream's modules for their tensors; they write into the documents they are given."""
    core = import_qwen_tts().core
    with torch.device("meta"):
        model_class = core.models.Qwen3TTSForConditionalGeneration
        model = model_class(core.models.Qwen3TTSConfig(**deepcopy(config)))
        codec_class = core.Qwen3TTSTokenizerV2Model
        speech = codec_class(core.Qwen3TTSTokenizerV2Config(**deepcopy(codec_config)))
    talker, tokenizer_ = (
        {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
        for module in (model, speech)
    )
    return talker, tokenizer_


def _safetensors(weights: Weights, dtype: torch.dtype) -> bytes:
    tensors = {name: tensor.to(dtype).contiguous() for name, tensor in weights.items()}
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise ValueError(f"{name} does not fit into {dtype}.")
    return save(tensors, metadata={"format": "pt"})


def _json(document: Document) -> bytes:
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()


def main() -> None:
    """Write the checkpoint of the last state, and its checksums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    state = torch.load(NANO_DIR / "reader.pt", map_location="cpu", weights_only=True)
    reader = Reader(state["reader"]["codes.sides"])
    reader.load_state_dict(state["reader"])
    fitted = torch.load(NANO_DIR / "decoder.pt", map_location="cpu", weights_only=True)
    files = checkpoint_files(reader.tensors(), fitted["decoder"], fitted["loudest"])
    sums = []
    for path, content in sorted(files.items()):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
        sums.append(f"{hashlib.sha256(content).hexdigest()}  {path}\n")
    (folder / "SHA256SUMS").write_text("".join(sums))
    size = math.fsum(len(content) for content in files.values()) / 1e6
    print(f"{folder}: {size:.1f} MB after {state['steps']} steps")


if __name__ == "__main__":
    main()

"""Models of one layer for the kernels: two classes of shapes, in two number formats."""

from __future__ import annotations

from dataclasses import replace

import torch

from qwen_tts_api.checkpoints.transformer_config import Heads
from qwen_tts_api.model.frame_state import SpeechModel
from qwen_tts_api.model.kernels.tiles import AttentionTile, Tile, Tiles
from qwen_tts_api.model.layers import BlockWeights, DecoderWeights, inverse_frequencies
from qwen_tts_api.model.prompt import PromptWeights
from qwen_tts_api.model.sampling import CounterRng
from qwen_tts_api.model.talker import TalkerWeights
from qwen_tts_api.model.weights.parameters import Parameters
from tests.model.generation import Checkpoint

TILES = Tiles(
    wide=Tile(rows=16, columns=256, inner=16, parts=4),
    narrow=Tile(rows=16, columns=64, inner=64, parts=4),
    attention=AttentionTile(split=8, programs=2, block=16),
)
"""As large as a small model's layers: the interpreter takes as long for a small tile."""

ROUNDING = {torch.float32: 2e-5, torch.float16: 4e-3}
"""How far apart two orders of a sum may be, of numbers of about 1."""

SHAPES = {
    "powers of two": (64, Heads(num_query=4, num_kv=2, head_dim=32), 128),
    "odd": (48, Heads(num_query=6, num_kv=2, head_dim=24), 72),
}
VOCABULARY = 200
GROUPS = 3


def talker_of(shape: str, dtype: torch.dtype, num_layers: int = 1) -> TalkerWeights:
    """Return random weights at a scale that keeps signals alive; matrices as on a GPU."""
    width, heads, middle = SHAPES[shape]
    generator = torch.Generator().manual_seed(1)

    def normal(*size: int, std: float = 1.0) -> torch.Tensor:
        return (torch.randn(size, generator=generator) * std).to(dtype)

    def matrix(rows: int, columns: int) -> torch.Tensor:
        return normal(columns, rows, std=rows**-0.5).t()

    def norm(*size: int) -> torch.Tensor:
        return 1 + normal(*size, std=0.3)

    def block() -> BlockWeights:
        return BlockWeights(
            input_norm=norm(width),
            qkv=matrix(width, (heads.num_query + 2 * heads.num_kv) * heads.head_dim),
            qk_norm=norm(heads.num_query + heads.num_kv, heads.head_dim),
            output=matrix(heads.width, width),
            post_attention_norm=norm(width),
            gate_up=matrix(width, 2 * middle),
            down=matrix(middle, width),
            eps=1e-6,
        )

    decoder = DecoderWeights(
        layers=[block() for _ in range(num_layers)],
        heads=heads,
        norm=norm(width),
        eps=1e-6,
        inv_freq=inverse_frequencies(10_000.0, heads.head_dim),
    )
    return TalkerWeights(
        decoder, matrix(width, VOCABULARY), normal(VOCABULARY, width), torch.zeros(1)
    )


def cut(odd: Checkpoint, dtype: torch.dtype) -> Checkpoint:
    """Return the odd checkpoint with a layer in each model and three codes a frame."""
    parameters = Parameters(odd.upstream.state_dict(), "cpu", dtype)
    config = odd.upstream.config.to_dict()
    whole = SpeechModel.read(parameters.within("talker"), config["talker_config"])
    prompts = PromptWeights.read(parameters, config, whole.talker)
    talker, predictor = whole.talker, whole.code_predictor

    def first_layer(decoder: DecoderWeights) -> DecoderWeights:
        return replace(decoder, layers=decoder.layers[:1])

    speech = SpeechModel(
        talker=replace(
            talker,
            decoder=first_layer(talker.decoder),
            code_offsets=talker.code_offsets[:GROUPS],
        ),
        code_predictor=replace(
            predictor,
            decoder=first_layer(predictor.decoder),
            lm_heads=predictor.lm_heads[: GROUPS - 1],
            inputs=predictor.inputs[: GROUPS - 1],
        ),
        logits_bias=whole.logits_bias,
        rng=CounterRng.build(1, GROUPS, GROUPS, torch.device("cpu")),
        first_rng=CounterRng.build(0, 1, GROUPS, torch.device("cpu")),
    )
    return Checkpoint(odd.upstream, speech, prompts)

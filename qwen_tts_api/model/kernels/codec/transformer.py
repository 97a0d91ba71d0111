"""The codec's transformer over a chunk of frames, in six launches a layer and three more."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from qwen_tts_api.model.codec.weights import CodecTransformer
from qwen_tts_api.model.kernels.codec.attention import attend_window, rotate_heads
from qwen_tts_api.model.kernels.codec.convolution import Filter, convolve
from qwen_tts_api.model.kernels.codec.past import ChunkState
from qwen_tts_api.model.kernels.products import norm_product
from qwen_tts_api.model.kernels.tiles import CodecTiles


class FusedTransformer:
    """Twin of `decoder._transformer`.

    Args:
        weights: Its tensors.
        tiles: How launches are divided into programs.
    """

    def __init__(self, weights: CodecTransformer, tiles: CodecTiles) -> None:
        self._weights = weights
        self._tiles = tiles
        self._input = Filter.linear(*weights.input)
        self._output = Filter.linear(*weights.output)

    def run(self, x: Tensor, state: ChunkState) -> Tensor:
        """Run over `[B, n, C]`, at the positions after those that the rows have had."""
        weights, tile = self._weights, self._tiles.convolution
        x = convolve(x, self._input, tile)
        for index, layer in enumerate(weights.layers):
            mixed = self._attend(self._norm_product(x, layer.input_norm, layer.qkv), index, state)
            x = self._add(mixed, layer.output, layer.attention_scale, x)
            middle = self._norm_product(x, layer.post_attention_norm, layer.gate_up, gated=True)
            x = self._add(middle, layer.down, layer.mlp_scale, x)
        x = functional.rms_norm(x, x.shape[-1:], weights.norm, weights.eps)
        return convolve(x, self._output, tile)

    def _attend(self, qkv: Tensor, index: int, state: ChunkState) -> Tensor:
        query, key_value = rotate_heads(qkv, state.frames, self._weights)
        past = state.of_layer(index)
        return attend_window(query, key_value, state.frames, past, self._weights)

    def _norm_product(
        self, x: Tensor, norm: Tensor, weight: Tensor, *, gated: bool = False
    ) -> Tensor:
        out = x.new_empty(*x.shape[:2], weight.shape[0] // (1 + gated))
        norm_product(
            x,
            norm,
            self._weights.eps,
            weight.t(),
            out,
            x.shape[0] * x.shape[1],
            self._tiles.norm_product,
            gated=gated,
        )
        return out

    def _add(self, a: Tensor, weight: Tensor, scale: Tensor, x: Tensor) -> Tensor:
        return convolve(a, Filter.linear(weight), self._tiles.convolution, scale=scale, residual=x)

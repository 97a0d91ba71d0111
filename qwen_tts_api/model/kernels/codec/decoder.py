"""A chunk of the codec's frames: what `model.codec.decoder` does, in under a hundred launches.

Activations are `[B, T, C]`: a step's channels are next to each other, as matrix products read them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from qwen_tts_api.model.codec.decoder import CodecState
from qwen_tts_api.model.codec.weights import CodecWeights, ConvNeXt, ResidualUnit, Snake, Upsampling
from qwen_tts_api.model.kernels.codec.convolution import Filter, Wave, convolve
from qwen_tts_api.model.kernels.codec.depthwise import depthwise_norm
from qwen_tts_api.model.kernels.codec.embedding import embed_codes
from qwen_tts_api.model.kernels.codec.past import ChunkState, copy_order
from qwen_tts_api.model.kernels.codec.transformer import FusedTransformer
from qwen_tts_api.model.kernels.tiles import CODEC_TILES, CodecTiles, Tile


class FusedCodec:
    """`decoder.decode_pcm` of one model, in about 95 launches a chunk.

    Its convolutions' weights are the plain decoder's where they are stored with channels last, else
    a copy (112 MB as published, in 16 bits). The state is the plain decoder's, so that either can
    continue a stream; the plain one also decodes what is cloned.

    A row's samples do not depend on the other rows, nor on how its frames are divided into chunks,
    to the last bit.

    Args:
        weights: The decoder's.
        tiles: How launches are divided into programs.
    """

    def __init__(self, weights: CodecWeights, tiles: CodecTiles = CODEC_TILES) -> None:
        self._weights = weights
        self._tiles = tiles
        self._order = copy_order(weights)
        tile = self._tiles.convolution
        self._pre_conv = _Stage(Filter.of(weights.pre_conv), tile)
        self._transformer = FusedTransformer(weights.transformer, self._tiles)
        self._upsample = [
            (_Upsample(upsampling, tile), _ConvNeXt(convnext, tile))
            for upsampling, convnext in weights.upsample
        ]
        first, *after = [snake for snake, _, _ in weights.blocks] + [weights.snake_out]
        self._conv_in = _Stage(Filter.of(weights.conv_in), tile, Wave.of(first))
        self._blocks = [
            _Block(upsampling, units, snake, tile)
            for (_, upsampling, units), snake in zip(weights.blocks, after, strict=True)
        ]
        # It makes one channel.
        self._conv_out = _Stage(Filter.of(weights.conv_out), replace(tile, more=None))

    def decode(self, state: CodecState, codes: Tensor, slots: Tensor) -> Tensor:
        """Decode the next frames of some streams; arguments and result are `decode_pcm`'s."""
        weights, chunk = self._weights, ChunkState(state, slots, self._order)
        x = embed_codes(codes, weights.tables, weights.table_starts, weights.dtype)
        x = self._transformer.run(self._pre_conv.run(x, chunk), chunk)
        for upsample, convnext in self._upsample:
            x = convnext.run(upsample.run(x, chunk), chunk)
        x = self._conv_in.run(x, chunk)
        for block in self._blocks:
            x = block.run(x, chunk)
        samples = self._conv_out.run(x, chunk, pcm=True)
        chunk.advance(codes.shape[1])
        return samples.squeeze(2)


@dataclass(frozen=True)
class _Stage:
    """A convolution, and the Snake after it."""

    layer: Filter
    tile: Tile
    wave: Wave | None = None

    def run(self, x: Tensor, chunk: ChunkState, **options: Any) -> Tensor:
        past = chunk.take(*self.layer.past_shape)
        return convolve(x, self.layer, self.tile, past, wave=self.wave, **options)


class _Upsample:
    """A transposed convolution, and the Snake after it."""

    def __init__(self, weights: Upsampling, tile: Tile, snake: Snake | None = None) -> None:
        self._channels = weights.weight.shape[1]
        wave = Wave.of(snake, weights.stride) if snake else None
        self._stage = _Stage(Filter.of(weights), tile, wave)

    def run(self, x: Tensor, chunk: ChunkState) -> Tensor:
        """Return `[B, T * stride, C]`, after Snake."""
        return self._steps(self._stage.run(x, chunk))

    def run_with_residual(self, x: Tensor, chunk: ChunkState) -> tuple[Tensor, Tensor]:
        """Return both what is before Snake and what is after it."""
        kept = x.new_empty(*x.shape[:2], self._stage.layer.out_channels)
        waved = self._stage.run(x, chunk, kept=kept)
        return self._steps(kept), self._steps(waved)

    def _steps(self, x: Tensor) -> Tensor:
        return x.view(x.shape[0], -1, self._channels)


class _ConvNeXt:
    """Twin of `decoder._convnext`, in three launches."""

    def __init__(self, weights: ConvNeXt, tile: Tile) -> None:
        self._weights = weights
        self._depthwise = weights.depthwise.weight.squeeze(1).t().contiguous()
        self._tile = tile
        self._expand = Filter.linear(*weights.expand)
        self._contract = Filter.linear(*weights.contract)

    def run(self, x: Tensor, chunk: ChunkState) -> Tensor:
        weights, depthwise = self._weights, self._weights.depthwise
        past = chunk.take(*depthwise.past_shape)
        y = depthwise_norm(x, self._depthwise, depthwise.bias, weights.norm, weights.eps, past)
        y = convolve(y, self._expand, self._tile, gelu=True)
        return convolve(y, self._contract, self._tile, scale=weights.gamma, residual=x)


class _Block:
    """A block of the decoder after its Snake, with the next one's: seven launches."""

    def __init__(
        self, upsampling: Upsampling, units: list[ResidualUnit], after: Snake, tile: Tile
    ) -> None:
        snakes = [unit.snake_1 for unit in units] + [after]
        self._upsample = _Upsample(upsampling, tile, snakes[0])
        self._units = [
            (
                _Stage(Filter.of(unit.dilated), tile, Wave.of(unit.snake_2)),
                _Stage(Filter.of(unit.pointwise), tile, Wave.of(snake)),
            )
            for unit, snake in zip(units, snakes[1:], strict=True)
        ]

    def run(self, x: Tensor, chunk: ChunkState) -> Tensor:
        stream, x = self._upsample.run_with_residual(x, chunk)
        for dilated, pointwise in self._units:
            x = dilated.run(x, chunk)
            x = pointwise.run(x, chunk, residual=stream, kept=stream)
        return x

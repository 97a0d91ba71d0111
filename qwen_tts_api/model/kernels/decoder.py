"""The layers of a transformer over flat tokens, in five to seven launches each."""

from __future__ import annotations

import torch
from torch import Tensor

from qwen_tts_api.model.kernels.attention import Attention
from qwen_tts_api.model.kernels.key_value import PagedCache, Tokens, write_key_value
from qwen_tts_api.model.kernels.products import norm_product, product_add
from qwen_tts_api.model.kernels.tiles import Tiles
from qwen_tts_api.model.layers import DecoderWeights


class FusedDecoder:
    """A transformer's layers and its head, with buffers for up to N tokens.

    Twin of `layers.decoder_layer` for each layer. A layer is: norm and qkv; attention, with the
    norm and RoPE of its heads; output product and residual; norm, gate, up and SiLU; down product
    and residual. One launch more joins the splits of long sequences, and one more writes keys and
    values where several tokens of a slot run at once.

    Args:
        weights: The transformer's.
        cache: Of its layers.
        vocabulary: The most logits that a head has.
        max_tokens: N.
        tiles: How launches are divided into programs.
        max_rows: Of the head; None: N.

    Attributes:
        x: `[N, D]`: the input of `run`, and its result.
    """

    def __init__(
        self,
        weights: DecoderWeights,
        cache: PagedCache,
        vocabulary: int,
        max_tokens: int,
        tiles: Tiles,
        *,
        max_rows: int | None = None,
    ) -> None:
        norm, layer = weights.norm, weights.layers[0]
        self._weights = weights
        self._cache = cache
        self._tiles = tiles
        self._attention = Attention(weights.heads, cache, max_tokens, tiles.attention)
        self.x = norm.new_zeros(max_tokens, norm.shape[0])
        self._qkv = norm.new_zeros(max_tokens, layer.qkv.shape[1])
        self._mixed = norm.new_zeros(max_tokens, layer.output.shape[0])
        self._middle = norm.new_zeros(max_tokens, layer.down.shape[0])
        self._logits = torch.zeros(
            max_rows or max_tokens, vocabulary, dtype=torch.float32, device=norm.device
        )

    def run(self, tokens: Tokens, num_tokens: int, *, several_of_a_slot: bool = False) -> None:
        """Run all layers over the first tokens of `x`, in place.

        Args:
            tokens: Where they belong.
            num_tokens: How many.
            several_of_a_slot: Some are of one slot, and attend to each other.
        """
        tiles, attention = self._tiles, self._attention
        heads, cache = self._weights.heads, self._cache
        x, qkv, mixed, middle = self.x, self._qkv, self._mixed, self._middle
        for layer, block in enumerate(self._weights.layers):
            norm_product(x, block.input_norm, block.eps, block.qkv, qkv, num_tokens, tiles.wide)
            if several_of_a_slot:
                write_key_value(qkv, block, heads, cache, layer, tokens, num_tokens)
            attention.attend(
                qkv, block, layer, tokens, num_tokens, mixed, writes=not several_of_a_slot
            )
            product_add(mixed, block.output, x, num_tokens, tiles.narrow)
            norm = block.post_attention_norm
            norm_product(
                x, norm, block.eps, block.gate_up, middle, num_tokens, tiles.wide, gated=True
            )
            product_add(middle, block.down, x, num_tokens, tiles.narrow)

    def head(
        self,
        head: Tensor,
        num_rows: int,
        indices: Tensor | None = None,
        hidden: Tensor | None = None,
    ) -> Tensor:
        """Apply the final norm and a head to rows of `x`; return logits `[>= num_rows, V]` float32.

        Args:
            head: `[D, V]`.
            num_rows: How many.
            indices: `[num_rows]` int64: which; None: the first.
            hidden: `[>= num_rows, D]`: written with the states after the norm, if it is not None.
        """
        weights = self._weights
        norm_product(
            self.x,
            weights.norm,
            weights.eps,
            head,
            self._logits,
            num_rows,
            self._tiles.wide,
            indices=indices,
            hidden=hidden,
        )
        return self._logits

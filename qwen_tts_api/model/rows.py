"""What the rows of a batch are made of: the weights they share and the tensors that are theirs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from qwen_tts_api.checkpoints.documents import Document
from qwen_tts_api.checkpoints.transformer_config import TALKER, TALKER_DEFAULTS, completed
from qwen_tts_api.model.code_predictor import CodePredictorCache, CodePredictorWeights
from qwen_tts_api.model.parameters import Parameters
from qwen_tts_api.model.sampling import Counter, Restrictions, SamplingRows, seed_key
from qwen_tts_api.model.talker import TalkerCache, TalkerWeights
from qwen_tts_api.model.utterance import Sampling


@dataclass(frozen=True)
class SpeechModel:
    """The weights of both language models, and constants derived from them.

    Attributes:
        talker: Weights.
        code_predictor: Weights.
        restrictions: What code 0 may not be.
        counter: The draws of one `advance`: codes 1 to G - 1 and the next frame's code 0.
        first_counter: The draw of the first code 0.
    """

    talker: TalkerWeights
    code_predictor: CodePredictorWeights
    restrictions: Restrictions
    counter: Counter
    first_counter: Counter

    @classmethod
    def read(cls, parameters: Parameters, config: Document) -> SpeechModel:
        """Read both.

        Args:
            parameters: Those within `talker`.
            config: config.json's `talker_config`.

        Raises:
            LoadError: As `TalkerWeights.read`.
        """
        talker = TalkerWeights.read(parameters, config)
        code_predictor = CodePredictorWeights.read(
            parameters.within("code_predictor"), config.get("code_predictor_config") or {}, talker
        )
        device, num_groups = parameters.device, code_predictor.num_code_groups
        eos = completed(config, TALKER_DEFAULTS, TALKER)["codec_eos_token_id"]
        return cls(
            talker=talker,
            code_predictor=code_predictor,
            restrictions=Restrictions.build(talker.vocabulary, eos, device),
            counter=Counter.build(1, num_groups, num_groups, device),
            first_counter=Counter.build(0, 1, num_groups, device),
        )


@dataclass(frozen=True)
class FrameState:
    """Everything that belongs to rows, on the device, updated in place. Allocated once.

    Attributes:
        talker_cache: The talker's keys and values.
        code_predictor_cache: The code predictor's.
        code_0: `[R]` int64: the code 0 that was drawn last; where it is the end of speech, the
            row is done and its next frame is surplus.
        codes: `[R, G]` int64: the frame that was made last.
        past_hidden: `[R, D]`: the hidden state that `code_0` was drawn from.
        positions: `[R]` int64: where the talker's next input goes. In a row that has used its
            last position it stays there: until the host knows, surplus frames are computed.
        frames: `[R]` int64: the number of the frame that `code_0` begins.
        running: `[R]` int64, 1 or 0: whether `advance` moves the row on. A row that is not running
            computes something finite that nobody reads, within its own cache.
        text: `[R, N + 1, D]`: text rows still to be heard, one a frame, then the tts_pad row.
        text_lengths: `[R]` int64: how many text rows come before the tts_pad row.
        text_starts: `[R]` int64: row * (N + 1).
        seen: `[R, V]` bool: the codes 0 of the row's utterance.
        penalty: `[R, 1]` float32.
        keys: `[R]` int64: `sampling.seed_key` of the row's seed.
        sampling: Parameters of code 0.
        subtalker_sampling: Parameters of codes 1 to 15.
    """

    talker_cache: TalkerCache
    code_predictor_cache: CodePredictorCache
    code_0: Tensor
    codes: Tensor
    past_hidden: Tensor
    positions: Tensor
    frames: Tensor
    running: Tensor
    text: Tensor
    text_lengths: Tensor
    text_starts: Tensor
    seen: Tensor
    penalty: Tensor
    keys: Tensor
    sampling: SamplingRows
    subtalker_sampling: SamplingRows

    @classmethod
    def allocate(
        cls,
        model: SpeechModel,
        max_rows: int,
        max_positions: int,
        max_text_rows: int,
        flash: bool = False,
    ) -> FrameState:
        """Return the state of `max_rows` rows, none of them running.

        A prompt and its frames may take `max_positions` together, and the text that trails it
        `max_text_rows` (N). `flash` is as for `TalkerCache.allocate`.
        """
        weights, predictor = model.talker, model.code_predictor
        norm = weights.decoder.norm
        device, dtype, width = norm.device, norm.dtype, norm.shape[0]

        def integers(*shape: int) -> Tensor:
            return torch.zeros(shape, dtype=torch.int64, device=device)

        return cls(
            talker_cache=TalkerCache.allocate(weights, max_rows, max_positions, flash),
            code_predictor_cache=CodePredictorCache.allocate(predictor, max_rows),
            code_0=integers(max_rows),
            codes=integers(max_rows, predictor.num_code_groups),
            past_hidden=torch.zeros(max_rows, width, dtype=dtype, device=device),
            positions=integers(max_rows),
            frames=integers(max_rows),
            running=integers(max_rows),
            text=torch.zeros(max_rows, max_text_rows + 1, width, dtype=dtype, device=device),
            text_lengths=integers(max_rows),
            text_starts=torch.arange(max_rows, device=device) * (max_text_rows + 1),
            seen=torch.zeros(max_rows, weights.vocabulary, dtype=torch.bool, device=device),
            penalty=torch.ones(max_rows, 1, device=device),
            keys=integers(max_rows),
            sampling=SamplingRows.allocate(max_rows, weights.vocabulary, device),
            subtalker_sampling=SamplingRows.allocate(max_rows, predictor.vocabulary, device),
        )

    @property
    def last_position(self) -> int:
        """The last position that a row has."""
        return self.talker_cache.max_positions - 1

    def set_row(self, row: int, draws: Sampling, trailing_text: Tensor, tts_pad: Tensor) -> None:
        """Make a row ready for `frame.prefill_rows`; does not synchronise.

        Args:
            row: Which; it must not be running.
            draws: How to draw.
            trailing_text: `[n, D]`: text rows for the first n frames.
            tts_pad: `[D]`: the text row of all other frames.

        Raises:
            ValueError: There are more text rows than the state was allocated for.
        """
        num_text_rows, max_text_rows = trailing_text.shape[0], self.text.shape[1] - 1
        if num_text_rows > max_text_rows:
            raise ValueError(f"{num_text_rows} text rows; there is room for {max_text_rows}.")
        self.text[row, :num_text_rows] = trailing_text
        self.text[row, num_text_rows] = tts_pad
        # To assign a number to one element of a GPU's tensor is a copy that the host waits for.
        self.text_lengths[row].fill_(num_text_rows)
        self.seen[row].fill_(False)
        self.penalty[row].fill_(draws.repetition_penalty)
        self.keys[row].fill_(seed_key(draws.seed))
        self.sampling.set_row(row, draws.temperature, draws.top_k, draws.top_p)
        self.subtalker_sampling.set_row(
            row, draws.subtalker_temperature, draws.subtalker_top_k, draws.subtalker_top_p
        )

    def stop(self, row: int) -> None:
        """Take a row out of the running; where it is, `advance` leaves it. Does not synchronise."""
        self.running[row].fill_(0)

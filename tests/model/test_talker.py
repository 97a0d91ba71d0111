"""The talker, and frames with it: upstream's codes, in any row, batch and company."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from qwen_tts_api.checkpoints.transformer_config import Heads
from qwen_tts_api.errors import LoadError
from qwen_tts_api.model import frame, layers, talker
from qwen_tts_api.model.code_predictor import predict_frame
from qwen_tts_api.model.frame import advance, prefill_slots
from qwen_tts_api.model.frame_state import FrameState, SlotStart
from qwen_tts_api.model.prompt import (
    INSTRUCTION_TEMPLATE,
    REFERENCE_TEMPLATE,
    SPEECH_TEMPLATE,
    ClonedVoice,
)
from qwen_tts_api.model.sampling import CounterRng, TopKTopP, sample, seed_key
from qwen_tts_api.model.talker import TalkerWeights
from qwen_tts_api.model.talker_cache import CacheSize, TalkerCache
from qwen_tts_api.model.utterance import SamplingParams
from tests.model.checkpoints import odd_model, parameters_of
from tests.model.conftest import odd_case
from tests.model.generation import (
    GREEDY,
    SAMPLED,
    TOP_64,
    Case,
    Checkpoint,
    Request,
    our_codes,
    place,
    upstream_codes,
)

Say = Callable[[str, str], Tensor]
MAX_NEW_TOKENS = 12
# Rows out of order, and one that is never used.
SLOTS = (4, 0, 7, 2, 6, 1, 8, 3)


@pytest.fixture(scope="module")
def cases(say: Say) -> list[Case]:
    """Return eight utterances for nano: short ones end by themselves, long ones by the limit."""
    instruct = say(INSTRUCTION_TEMPLATE, "Slowly, and with a smile.")
    return [
        Case(say(SPEECH_TEMPLATE, text), language, voice, instruct if instructed else None)
        for text, language, voice, instructed in [
            ("Hello there, how are you?", "english", "ryan", False),
            ("Hi", "auto", "serena", False),
            ("A dialect takes over.", "auto", "eric", True),
            ("No", "chinese", "dylan", False),
            ("But not here.", "german", "dylan", True),
            ("yes", "french", "sohee", True),
            ("One, two, three, four, five, six, seven.", "auto", "aiden", False),
            ("Well then", "japanese", "ono_anna", False),
        ]
    ]


@pytest.fixture(scope="module")
def expected(nano: Checkpoint, cases: list[Case]) -> list[Tensor]:
    """Return upstream's codes of these."""
    return upstream_codes(nano, cases, True, max_new_tokens=MAX_NEW_TOKENS)


def assert_same(ours: list[Tensor], upstreams: list[Tensor]) -> None:
    """Compare lists of `[F, G]`, exactly."""
    assert [codes.tolist() for codes in ours] == [codes.tolist() for codes in upstreams]


def requests_for(
    checkpoint: Checkpoint, cases: list[Case], non_streaming_mode: bool, stride: int = 0
) -> list[Request]:
    """Return requests that join `stride` frames after one another."""
    return [
        Request(
            checkpoint.prompt(case, non_streaming_mode),
            slot=SLOTS[index],
            joins_at=stride * index,
            max_new_tokens=MAX_NEW_TOKENS,
        )
        for index, case in enumerate(cases)
    ]


def test_the_cases_end_in_both_ways(expected: list[Tensor]) -> None:
    """By the end of speech, and one frame before `max_new_tokens`."""
    lengths = [len(codes) for codes in expected]
    assert max(lengths) == MAX_NEW_TOKENS - 1
    assert 2 < min(lengths) < MAX_NEW_TOKENS - 1


def test_alone(nano: Checkpoint, cases: list[Case], expected: list[Tensor]) -> None:
    """With or without an instruction, with a dialect, to the end of speech or the limit."""
    for case, codes in zip(cases, expected, strict=True):
        [request] = requests_for(nano, [case], True)
        assert_same(our_codes(nano, [replace(request, slot=0)], num_slots=1), [codes])


@pytest.mark.parametrize(("count", "stride"), [(3, 4), (8, 0), (8, 1)])
def test_together(
    nano: Checkpoint, cases: list[Case], expected: list[Tensor], count: int, stride: int
) -> None:
    """Prompts of different lengths, prefilled at once or while other rows are running."""
    requests = requests_for(nano, cases[:count], True, stride)
    assert_same(our_codes(nano, requests, num_slots=9), expected[:count])


def test_a_slot_is_used_again(nano: Checkpoint, cases: list[Case], expected: list[Tensor]) -> None:
    """Nothing of the last utterance is left: neither its keys, nor its text, nor its codes."""
    requests = [
        replace(request, slot=1, joins_at=15 * index)
        for index, request in enumerate(requests_for(nano, cases[:3], True))
    ]
    assert_same(our_codes(nano, requests, num_slots=2), expected[:3])


def test_attention_reads_no_further_than_it_is_told(
    nano: Checkpoint, cases: list[Case], expected: list[Tensor]
) -> None:
    """The bucket changes nothing as long as every position is in it."""
    requests = requests_for(nano, cases[:3], True)
    longest = max(len(request.prompt.embeds) for request in requests) + MAX_NEW_TOKENS
    assert_same(our_codes(nano, requests, num_slots=9, kv_len=longest), expected[:3])


@pytest.mark.parametrize("page_positions", [8, 64])
def test_pages_may_lie_anywhere(
    nano: Checkpoint, cases: list[Case], expected: list[Tensor], page_positions: int
) -> None:
    """Whatever pages the slots have, and whatever scratch holds: the same codes."""
    per_slot = 128 // page_positions
    generator = torch.Generator().manual_seed(page_positions)
    shuffled = torch.randperm(9 * per_slot + 1, generator=generator)
    codes = our_codes(
        nano,
        requests_for(nano, cases[:3], True, stride=2),
        num_slots=9,
        kv_len=100,
        page_positions=page_positions,
        pages=1 + shuffled[:-1].view(9, per_slot),
    )
    assert_same(codes, expected[:3])


def test_text_that_arrives_slot_by_slot(nano: Checkpoint, cases: list[Case]) -> None:
    """Texts that end before and after their frames, with another penalty."""
    options: dict[str, Any] = {"max_new_tokens": MAX_NEW_TOKENS, "repetition_penalty": 1.6}
    chosen = [cases[6], cases[1], cases[2]]
    params = replace(GREEDY, repetition_penalty=1.6)
    requests = [replace(r, sampling=params) for r in requests_for(nano, chosen, False, stride=2)]
    assert_same(
        our_codes(nano, requests, num_slots=9), upstream_codes(nano, chosen, False, **options)
    )


def test_voice_design(nano_design: Checkpoint, say: Say) -> None:
    """With and without the voice's description."""
    instruct = say(INSTRUCTION_TEMPLATE, "An old man, hoarse.")
    chosen = [
        Case(say(SPEECH_TEMPLATE, "Good morning!"), "english", None, instruct),
        Case(say(SPEECH_TEMPLATE, "Good night"), "auto"),
    ]
    requests = requests_for(nano_design, chosen, True)
    codes = upstream_codes(nano_design, chosen, True, max_new_tokens=MAX_NEW_TOKENS)
    assert_same(our_codes(nano_design, requests, num_slots=5), codes)


@pytest.mark.parametrize("non_streaming_mode", [False, True])
def test_cloned_voices(nano_base: Checkpoint, say: Say, non_streaming_mode: bool) -> None:
    """By continuation, with less and with more text than frames, and by the embedding alone."""
    generator = torch.Generator().manual_seed(1)
    speaker = torch.randn(128, generator=generator)
    reference = say(REFERENCE_TEMPLATE, "My voice.").tolist()
    short, long = (torch.randint(0, 2048, (n, 16), generator=generator) for n in (5, 30))
    chosen = [
        Case(
            say(SPEECH_TEMPLATE, "Now say this."), "english", ClonedVoice(speaker, reference, long)
        ),
        Case(say(SPEECH_TEMPLATE, "And this!"), "auto", ClonedVoice(speaker, reference, short)),
        Case(say(SPEECH_TEMPLATE, "That too."), "auto", ClonedVoice(speaker)),
    ]
    requests = requests_for(nano_base, chosen, non_streaming_mode, stride=1)
    codes = upstream_codes(nano_base, chosen, non_streaming_mode, max_new_tokens=MAX_NEW_TOKENS)
    assert_same(our_codes(nano_base, requests, num_slots=9), codes)


@pytest.mark.parametrize("non_streaming_mode", [False, True])
def test_another_shape_of_model(odd: Checkpoint, non_streaming_mode: bool) -> None:
    """Other sizes everywhere, a predictor of the talker's width, norm weights that are not 1."""
    chosen = [
        odd_case(5, voice="ryan", language="english"),
        odd_case(9, voice="dylan"),
        odd_case(3, voice="dylan", language="english"),
    ]
    requests = requests_for(odd, chosen, non_streaming_mode, stride=3)
    codes = upstream_codes(odd, chosen, non_streaming_mode, max_new_tokens=MAX_NEW_TOKENS)
    assert_same(our_codes(odd, requests, num_slots=9), codes)


def test_two_frames_at_least(odd: Checkpoint) -> None:
    """A model that wants to end at once may not before its third code 0."""
    case = odd_case(4, voice="ryan")
    request = replace(requests_for(odd, [case], True)[0], slot=0)
    # With the mean of the first hidden states as its weights, the end is what they point to.
    upstream = odd_model()
    upstream.talker.codec_head.weight.data[odd.eos] = 10 * _first_hidden_states(
        odd, request, 3
    ).mean(0)
    eager_to_end = Checkpoint.of(upstream)
    [codes] = upstream_codes(eager_to_end, [case], True, max_new_tokens=8)
    assert len(codes) == 2
    assert_same(our_codes(eager_to_end, [request], num_slots=1), [codes])


@torch.inference_mode()
def _first_hidden_states(checkpoint: Checkpoint, request: Request, count: int) -> Tensor:
    state = FrameState.allocate(checkpoint.speech, CacheSize.whole(1, 64), 1)
    place(state)
    start = SlotStart(0, GREEDY, request.prompt.trailing_text)
    state.set_slots([start], checkpoint.prompts.tts_pad)
    embeds = request.prompt.embeds.unsqueeze(0)
    lengths = torch.tensor([embeds.shape[1]])
    prefill_slots(checkpoint.speech, state, embeds, lengths, torch.tensor([0]), TOP_64)
    states = [state.past_hidden[0].clone()]
    for _ in range(count - 1):
        advance(checkpoint.speech, state, 1, 64, TOP_64)
        states.append(state.past_hidden[0].clone())
    return torch.stack(states)


def test_a_sampled_utterance_depends_on_nothing_but_its_seed(
    nano: Checkpoint, cases: list[Case]
) -> None:
    """Alone, in another row, in company, and with every logit ranked: the same codes."""
    base = requests_for(nano, cases, True)
    first = replace(base[0], sampling=replace(SAMPLED, seed=2**63 + 5))
    others = [replace(r, sampling=replace(SAMPLED, seed=n)) for n, r in enumerate(base[1:5])]
    [alone] = our_codes(nano, [replace(first, slot=0)], num_slots=1)
    [again, *_] = our_codes(nano, [replace(first, joins_at=3), *others], num_slots=9)
    everything = TopKTopP(max_top_k=None, top_p=True)
    [ranked] = our_codes(nano, [first], num_slots=9, top_k_top_p=everything)
    assert_same([again, ranked], [alone, alone])
    another = replace(first, sampling=replace(SAMPLED, seed=6))
    [different] = our_codes(nano, [another], num_slots=9)
    assert different.tolist() != alone.tolist()


def test_every_draw_has_a_number_of_its_own(
    nano: Checkpoint, cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The random number of a code is that of its frame and its codebook."""
    sampled: list[Tensor] = []

    def noting(function: Callable[..., Tensor], position: int) -> Callable[..., Tensor]:
        def note(*arguments: Any) -> Tensor:
            sampled.append(arguments[position])
            return function(*arguments)

        return note

    monkeypatch.setattr(frame, "predict_frame", noting(predict_frame, 5))
    monkeypatch.setattr(frame, "sample", noting(sample, 2))
    request = replace(requests_for(nano, cases[:1], True)[0], sampling=replace(SAMPLED, seed=11))
    our_codes(nano, [replace(request, slot=0, max_new_tokens=4)], num_slots=1)
    numbers = torch.cat(sampled, 1)[0]
    key = torch.tensor([seed_key(11)])
    rng = CounterRng.build(0, 16, 16, torch.device("cpu"))
    expected = torch.cat([rng.uniforms(key, torch.tensor([n])) for n in range(4)], 1)[0]
    assert torch.equal(numbers[: 3 * 16 + 1], expected[: 3 * 16 + 1])


def test_greedy_and_sampled_slots_share_a_batch(
    nano: Checkpoint, cases: list[Case], expected: list[Tensor]
) -> None:
    """A neighbour that samples leaves a greedy row's codes alone."""
    requests = requests_for(nano, cases[:2], True)
    requests[1] = replace(requests[1], sampling=SAMPLED)
    assert_same(our_codes(nano, requests, num_slots=9)[:1], expected[:1])


def test_a_sampled_code_0_with_greedy_others(nano: Checkpoint, cases: list[Case]) -> None:
    """Code 0 and the others have their own parameters."""
    base = requests_for(nano, cases[:1], True)[0]
    one = replace(base, sampling=replace(GREEDY, subtalker_temperature=5.0, subtalker_top_k=64))
    two = replace(base, sampling=replace(GREEDY, temperature=5.0, top_k=64))
    greedy, mixed, first = (our_codes(nano, [r], num_slots=9)[0][0] for r in (base, one, two))
    assert mixed[0] == greedy[0]
    assert mixed[1:].tolist() != greedy[1:].tolist()
    assert first[0] != greedy[0]


@pytest.mark.parametrize(("sampling", "non_streaming_mode"), [(GREEDY, True), (SAMPLED, False)])
def test_a_slot_that_waits_goes_on_as_if_it_had_not(
    odd: Checkpoint, sampling: SamplingParams, non_streaming_mode: bool
) -> None:
    """Once, again and again, and for long, at any frame; its company notices nothing."""
    prompts = [odd.prompt(odd_case(length), non_streaming_mode) for length in (5, 9, 7)]
    plain = [Request(each, slot, sampling) for slot, each in enumerate(prompts)]
    expected = our_codes(odd, plain, num_slots=3)
    assert [len(codes) for codes in expected] == [11, 11, 11]
    for waits in ([0], [10], range(0, 20, 2), range(4, 30)):
        waiting = [replace(plain[0], waits_at=frozenset(waits)), *plain[1:]]
        assert_same(our_codes(odd, waiting, num_slots=3), expected)
        if not non_streaming_mode:
            arriving = [replace(waiting[0], text_arrives=True), *plain[1:]]
            assert_same(our_codes(odd, arriving, num_slots=3), expected)


def to_meta(value: Any) -> Any:
    """Copy a tree of dataclasses, lists and tuples with its tensors on the meta device."""
    if isinstance(value, Tensor):
        return value.to("meta")
    if isinstance(value, (list, tuple)):
        return type(value)(to_meta(item) for item in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: to_meta(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return type(value)(**fields)
    return value


@pytest.mark.parametrize("size", [CacheSize.whole(4, 32), CacheSize(4, 32, 3)])
@pytest.mark.parametrize("top_k_top_p", [TOP_64, TopKTopP(None, True)])
def test_a_frame_asks_nothing_of_the_host(
    nano: Checkpoint, top_k_top_p: TopKTopP, size: CacheSize
) -> None:
    """Tensors without data cannot be read: whatever runs on them can be captured in a graph."""
    state = FrameState.allocate(nano.speech, size, max_text_embeddings=3)
    speech, state = to_meta(nano.speech), to_meta(state)
    lengths, rows = torch.empty(2, 2, dtype=torch.int64, device="meta").unbind(0)
    with torch.inference_mode():
        embeds = torch.empty(2, 9, speech.talker.decoder.norm.shape[0], device="meta")
        prefill_slots(speech, state, embeds, lengths, rows, top_k_top_p)
        advance(speech, state, 3, 16, top_k_top_p)


def test_slots_that_do_not_run_stay_finite_and_in_range(nano: Checkpoint) -> None:
    """Rows that were never started compute along with the others, for as long as those run."""
    state = FrameState.allocate(nano.speech, CacheSize.whole(4, 8), max_text_embeddings=0)
    with torch.inference_mode():
        for _ in range(10):
            advance(nano.speech, state, 4, 8, TOP_64)
    assert state.positions.tolist() == state.frames.tolist() == [0] * 4
    assert state.past_hidden.isfinite().all()
    assert state.talker_cache.key_value.isfinite().all()


def test_layers_of_another_kind_are_refused(odd: Checkpoint) -> None:
    """Rather than run wrongly."""
    config = odd.upstream.config.talker_config.to_dict() | {"attention_bias": True}
    with pytest.raises(LoadError, match="attention_bias True"):
        TalkerWeights.read(parameters_of(odd.upstream).within("talker"), config)


def test_a_model_in_sixteen_bits() -> None:
    """Upstream's logits but for rounding, from the prompt and from the frames after it."""
    upstream = odd_model()
    for parameter in upstream.parameters():
        parameter.data = parameter.data.bfloat16()
    checkpoint = Checkpoint.of(upstream)
    prompt = checkpoint.prompt(odd_case(6, voice="ryan"), True)
    cache = TalkerCache.allocate(checkpoint.speech.talker.decoder, CacheSize.whole(1, 32))
    cache.give(0, 0, torch.tensor([1]))
    embeds, width = prompt.embeds.unsqueeze(0), len(prompt.embeds)
    codes = torch.randint(0, 256, (3, 6), generator=torch.Generator().manual_seed(5))
    with torch.inference_mode():
        last, row = torch.tensor([width - 4]), torch.tensor([0])
        talker.prefill(checkpoint.speech.talker, cache, embeds[:, :-4], last, row)
        for position in range(width - 4, width):
            _, logits = talker.step(
                checkpoint.speech.talker, cache, embeds[:, position], row + position, 32
            )
        mask = torch.ones(1, width, dtype=torch.int64)
        expected = upstream.talker(inputs_embeds=embeds, attention_mask=mask).logits[0, -1]
        rows = upstream.talker.model.codec_embedding(codes[:, :1])
        others = zip(upstream.talker.code_predictor.model.codec_embedding, codes.T[1:], strict=True)
        summed = torch.cat([rows, *(table(code)[:, None] for table, code in others)], 1).sum(1)
        assert torch.equal(checkpoint.speech.talker.embed_frame(codes), summed)
    assert (logits.dtype, expected.dtype) == (torch.float32, torch.bfloat16)
    assert (logits[0] - expected.float()).abs().max() < 0.05 * expected.abs().max()
    request = Request(prompt, slot=0, sampling=SAMPLED, max_new_tokens=5)
    assert our_codes(checkpoint, [request], num_slots=2)[0].shape == (4, 6)


def test_sixteen_bits_round_where_transformers_does(odd: Checkpoint) -> None:
    """RMSNorm casts before it weighs; RoPE rounds both products and their sum."""
    norm = odd.upstream.talker.model.norm
    x = torch.randn(64, 48).bfloat16()
    weight = norm.weight.detach().bfloat16()
    expected = (
        weight
        * (
            x.float()
            * torch.rsqrt(x.float().square().mean(-1, keepdim=True) + norm.variance_epsilon)
        ).bfloat16()
    )
    assert torch.equal(layers.rms_norm(x, weight, norm.variance_epsilon), expected)

    from qwen_tts.core.models.modeling_qwen3_tts import apply_rotary_pos_emb

    rotary = odd.upstream.talker.code_predictor.model.rotary_emb
    positions = torch.arange(20)
    heads = torch.randn(1, 3, 20, 16).bfloat16()
    cos, sin = rotary(heads, positions.unsqueeze(0))
    rotated, _ = apply_rotary_pos_emb(heads, heads, cos, sin)
    rope = layers.rope_tables(rotary.inv_freq, positions, torch.bfloat16)
    ours = layers.rotate(heads[0].transpose(0, 1), rope)
    assert torch.equal(ours.transpose(0, 1), rotated[0])


@pytest.mark.parametrize(
    ("dtype", "capability", "shares"),
    [
        (torch.bfloat16, (8, 0), True),
        (torch.float16, (9, 0), True),
        (torch.float32, (9, 0), False),
        (torch.float16, (7, 5), False),
    ],
)
def test_attention_makes_no_table_of_all_scores(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, capability: Any, shares: bool
) -> None:
    """What PyTorch has beside FlashAttention takes no key heads that queries share."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    takes_shared_heads = layers._takes_shared_heads.__wrapped__
    assert takes_shared_heads(torch.device("cuda:0"), dtype) is shares
    assert takes_shared_heads(torch.device("cpu"), dtype)


def test_repeated_key_heads_are_shared_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    heads, random = Heads(6, 2, 16), torch.Generator().manual_seed(0)
    query, key_value = (torch.randn(2 * 5, n, 16, generator=random) for n in (6, 4))
    shared = layers.attend_causal(query, key_value, 2, heads)
    given: list[tuple[int, bool]] = []
    attend = torch.nn.functional.scaled_dot_product_attention

    def noted(query: Tensor, key: Tensor, value: Tensor, **options: Any) -> Tensor:
        given.append((key.shape[1], options["enable_gqa"]))
        return attend(query, key, value, **options)

    monkeypatch.setattr(layers, "_takes_shared_heads", lambda device, dtype: False)
    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", noted)
    torch.testing.assert_close(layers.attend_causal(query, key_value, 2, heads), shared)
    assert given == [(6, False)]

"""The tools that make the embedded voice, without what only training needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.upstream import load_upstream
from qwen_tts_api.checkpoints.card import read_card
from qwen_tts_api.checkpoints.checkpoint import Checkpoint
from qwen_tts_api.model.codec.decoder import CodecState, decode_chunk
from qwen_tts_api.model.loaded import LoadedModel
from qwen_tts_api.model.prompt import SPEECH_TEMPLATE, build_prompt
from qwen_tts_api.model.weights.placement import Placement
from tools.nano import layout
from tools.nano.dataset import Dataset
from tools.nano.decoder import Decoder, around
from tools.nano.export import checkpoint_files
from tools.nano.features import NUM_NODES
from tools.nano.fit import fit
from tools.nano.judge import edits, words
from tools.nano.means import Means, surroundings
from tools.nano.odd_texts import KINDS, Told, summary, texts
from tools.nano.phones import parse
from tools.nano.reader import START_INPUT, Reader, windows_of
from tools.nano.settings import Array
from tools.nano.symbols import MERGED, symbol, tokens
from tools.nano.text import SENTENCES, Writer, patterns, plain, sentences
from tools.nano.timing import SILENT, State
from tools.nano.units import NUM_MORE_FRAMES, Units, edges
from tools.nano.voices import VOICES, synthesise

NUM_KNOWN = 120
LONG_TEXT = " ".join(["The class of an assistant, isn't it? Yes, pass it on"] * 8)


def _sides() -> torch.Tensor:
    return torch.arange(2 * NUM_KNOWN).reshape(2, -1) % 30


@pytest.fixture(scope="module")
def reader() -> Reader:
    """Return a reader that has learnt nothing."""
    torch.manual_seed(0)
    return Reader(_sides())


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    """Return a decoder that has learnt nothing, but whose MLPs do something."""
    torch.manual_seed(0)
    amplitudes: Array = np.random.default_rng(0).random((NUM_KNOWN, 5, NUM_NODES))
    decoder = Decoder((amplitudes**4).astype(np.float32))
    for name, weight in decoder.mlps.named_parameters():
        if name.endswith(("down.weight", "bias")):
            torch.nn.init.normal_(weight, std=1.0 if name.endswith("bias") else 0.03)
    return decoder


@pytest.fixture(scope="module")
def checkpoint(
    reader: Reader, decoder: Decoder, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, LoadedModel]:
    """Return an exported checkpoint's folder, and the checkpoint as the server loads it."""
    folder = tmp_path_factory.mktemp("checkpoint")
    for path, content in checkpoint_files(
        reader.tensors(), dict(decoder.state_dict()), 2.0
    ).items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(content)
    return folder, LoadedModel.load(Checkpoint.read(folder), Placement("cpu", "float32", "sdpa"))


def test_a_checkpoint_is_a_custom_voice_one_of_at_most_25_mb(
    checkpoint: tuple[Path, LoadedModel],
) -> None:
    folder, _ = checkpoint
    card = read_card(folder)
    assert card.kind == "custom_voice"
    assert card.speakers == tuple(VOICES)
    assert card.languages == ("english",)
    assert not card.takes_instruct
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) <= 25e6


def test_the_codec_makes_the_samples_of_every_voice(
    checkpoint: tuple[Path, LoadedModel], decoder: Decoder
) -> None:
    """Within -40 dB: the codec's norms and activations are not quite the identity."""
    _, model = checkpoint
    codes = torch.randint(NUM_KNOWN, (1, 12, 1), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        heard = decoder(torch.from_numpy(around(codes.flatten().numpy()))).numpy()
    assert (heard < 0).any()
    for index, voice in enumerate(VOICES.values()):
        frames = torch.cat((codes, torch.full_like(codes, index)), -1)
        state = CodecState.allocate(model.codec, 1)
        made = decode_chunk(model.codec, state, frames, torch.tensor([0]))[0].numpy()
        wanted = synthesise(heard, voice).clip(-1, 1)
        assert np.square(made - wanted).mean() < 1e-4 * np.square(wanted).mean()


@pytest.mark.parametrize("text", ["Hi.", "Passing a class isn't hard, is it? I", LONG_TEXT])
@pytest.mark.parametrize("language", ["auto", "english"])
@torch.inference_mode()
def test_the_talker_reads_as_the_reader_does(
    checkpoint: tuple[Path, LoadedModel], reader: Reader, text: str, language: str
) -> None:
    """Each frame, the end of speech included, sees the tokens around its place in the text."""
    folder, model = checkpoint
    ids = model.tokenizer.encode(SPEECH_TEMPLATE, text)
    windows = windows_of(torch.tensor([symbol(token) for token in tokens(text)]))
    codes = torch.randint(NUM_KNOWN, (len(windows) - 1,))
    wanted = reader(windows, torch.cat((torch.tensor([START_INPUT]), codes)))
    prompt = build_prompt(
        model.prompts, ids, language=language, non_streaming_mode=True, voice="serena"
    )
    frames = torch.stack((codes, torch.full_like(codes, list(VOICES).index("serena"))), 1)
    rows = model.speech.talker.embed_frame(frames) + model.prompts.tts_pad
    inputs = torch.cat((model.prompts.embed(prompt), rows)).unsqueeze(0)
    talker = load_upstream(folder, model.placement).model.talker
    hidden = talker.model(
        inputs_embeds=inputs,
        position_ids=torch.arange(inputs.shape[1]).expand(3, 1, -1),
        attention_mask=torch.ones(inputs.shape[:2], dtype=torch.long),
        use_cache=False,
    ).last_hidden_state[0, prompt.num_positions - 1 :]
    logits = talker.codec_head(hidden)
    ends = logits[:, layout.END_OF_SPEECH]
    logits, wanted = (each[:, : layout.NUM_CODES] for each in (logits, wanted))
    assert (ends[:-1] < logits[:-1].amax(-1)).all()
    assert ends[-1] > logits[-1].max()
    both = torch.stack((logits, wanted)) - torch.stack((logits, wanted)).mean(-1, keepdim=True)
    alike = torch.nn.functional.cosine_similarity(both[0], both[1], dim=-1)
    assert alike.min() > 0.97, alike


def test_a_token_is_one_of_the_checkpoints(checkpoint: tuple[Path, LoadedModel]) -> None:
    _, model = checkpoint
    empty = len(model.tokenizer.encode(SPEECH_TEMPLATE, ""))
    for text in ("assistant", "a class", "Assassins assist, assassins pass.", "it's — 7\n"):
        ids = model.tokenizer.encode(SPEECH_TEMPLATE, text)
        spelled = sum(len(token.encode()) if token not in MERGED else 1 for token in tokens(text))
        assert len(ids) - empty == spelled, text


def test_no_training_text_is_a_sentence_that_judges() -> None:
    lists = {name: {plain(sentence) for sentence in sentences(name)} for name in SENTENCES}
    assert {name: len(known) for name, known in lists.items()} == {
        "evaluation": 50,
        "fresh": 50,
        "development": 100,
    }
    forbidden = set().union(*lists.values())
    assert len(forbidden) == 200
    assert not forbidden & {plain(pattern) for pattern in patterns()[""]}
    writer = Writer(1, {"everyday": [sentences(name)[0].rstrip(".?") for name in SENTENCES]})
    assert not forbidden & {plain(writer.text()) for _ in range(300)}


def test_words_are_compared_as_they_are_spoken() -> None:
    assert words("At 7:30, it's 21°!") == "at seven thirty it's twenty one degrees".split()
    assert edits("a b c".split(), "a c d".split()) == 2


def test_sounds_of_several_characters_are_one() -> None:
    phones = parse("tʃˈaɪldɹən")
    assert [phone.symbol for phone in phones] == "tʃ aɪ l d ɹ ə n".split()
    assert [phone.stress for phone in phones] == [0, 2, 0, 0, 0, 0, 0]


def test_a_mean_is_drawn_to_that_of_wider_surroundings() -> None:
    """Of three recordings in one surrounding and three in another one; both join two states."""
    one, other, third = (State(symbol, "s") for symbol in "abc")
    texts = [surroundings([one, other, after]) for after in (third, one)]
    rare, common = (text[1] for text in texts)
    assert rare.edge == common.edge == (one, other)
    frame = np.ones((5, NUM_NODES))
    spoken = [
        [(around, level * frame) for around in it] for it, level in zip(texts, (4, 16), strict=True)
    ]
    means = Means(iter(3 * (spoken[0] + spoken[1])))
    np.testing.assert_allclose(means.of_edge(rare.edge), 9)  # the square of 2 and 4's middle
    # The sound after: halfway between 2 and 3; then the one before: halfway between that and 2.
    np.testing.assert_allclose(means.heard(rare)[1:], 2.25**2)
    np.testing.assert_allclose(means.of_edge((one, State("b", "a"))), 9)  # never heard


@pytest.mark.slow
def test_the_decoder_learns_what_the_code_after_changes(tmp_path: Path) -> None:
    """A table of codes cannot tell the same code in two surroundings apart."""
    states = [State(symbol, "s") for symbol in "abcdefghijkl"]
    random, texts = np.random.default_rng(0), []
    for _ in range(80):
        said = surroundings([states[index] for index in random.integers(len(states), size=40)])
        loud = [0.5 if frame.after.symbol in "abcdef" else 0.02 for frame in said]
        texts.append((said, np.array(loud)[:, None, None] * np.ones((1, 5, NUM_NODES))))
    every = [SILENT, *states]
    units = Units([(one, other) for one in every for other in every])
    for steps in (150, 200):  # the second time, it goes on
        fit(texts, units, steps, tmp_path)
    lines = (tmp_path / "fitting.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [150, 200]
    state = torch.load(tmp_path / "decoder.pt", weights_only=True)
    assert state["loudest"] == pytest.approx(0.5, rel=0.1)
    decoder = Decoder(np.random.default_rng(0).random((len(units.known), 5, NUM_NODES)))
    decoder.load_state_dict(state["decoder"])
    a, b, *_, last = states
    heard = []
    for after in (b, last):
        codes = np.array([units.code(edge) for edge in edges([b, a, b, after])])
        with torch.inference_mode():
            heard.append(float(decoder(torch.from_numpy(around(codes)))[3, 1:].mean()))
    assert heard[0] > 2.5 * heard[1], heard


@pytest.mark.slow
def test_training_goes_on_from_the_state_that_was_saved(tmp_path: Path) -> None:
    texts = ["hello there", "a class", "good night"] * 4
    data = Dataset(
        np.concatenate([[symbol(token) for token in tokens(text)] for text in texts]).astype("u1"),
        np.concatenate([np.arange(len(tokens(text)) + NUM_MORE_FRAMES) for text in texts]).astype(
            "u2"
        ),
        np.array([len(tokens(text)) for text in texts], np.int32),
    )
    data.save(tmp_path / "texts-000.npz")
    data.save(tmp_path / "check.npz")
    edges = [[[str(one), "s"], [str(other), "s"]] for one, other in _sides().T.tolist()]
    (tmp_path / "units.json").write_text(json.dumps(edges))
    for steps in ("2", "3"):
        subprocess.run(
            [sys.executable, "-m", "tools.nano.train", "--steps", steps, "--frames", "64"],
            env=os.environ | {"NANO_DIR": str(tmp_path), "OMP_NUM_THREADS": "1"},
            check=True,
            capture_output=True,
        )
    lines = (tmp_path / "training.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [2, 3]


def test_what_ran_away_is_told() -> None:
    """Of texts of every kind, the same ones for the same seed."""
    chosen = texts(3 * len(KINDS))
    assert chosen == texts(3 * len(KINDS))
    assert {kind for kind, _ in chosen} == set(KINDS)
    assert all(0 < len(text) < 60 for _, text in chosen)
    told = [
        Told("a letter", "x", "stop", 0.24),
        Told("a letter", "y", "stop", 9.0),
        Told("a word", "z", "loop", 0.4),
    ]
    assert [each.ran_away for each in told] == [False, True, True]
    assert "3 requests, of which 2 ran away" in summary(told)

"""Moves of chess."""

from __future__ import annotations

from qwen_tts_api.service.text.verbalize.languages import LANGUAGES
from qwen_tts_api.service.text.verbalize.verbalizer import make_verbalizer
from tests.rows import for_each


@for_each(
    ("language", "text", "said"),
    [
        ("english", "White plays Nf3, O-O and e4", "White plays knight F three, castles kingside"
         " and E four"),
        ("english", "Qxe7+ Rxd8# O-O-O", "queen takes E seven check rook takes D eight mate castles"
         " queenside"),
        ("english", "exd5 e8=Q Nbd7 R1e2", "E takes D five E eight promotes to queen knight B D"
         " seven rook one E two"),
        ("english", "the gene Nf1", "the gene Nf one"),
        ("german", "Weiß zieht Sf3", "Weiß zieht Springer F drei"),
        ("french", "Les blancs jouent Cf3", "Les blancs jouent cavalier F trois"),
        ("spanish", "Cf3 Axc6", "caballo F tres alfil por C seis"),
        ("chinese", "白方走Nf3", "白方走马F 三"),
    ],
)  # fmt: skip
def test_moves(language: str, text: str, said: str) -> None:
    assert make_verbalizer(LANGUAGES[language]).verbalize(text) == said

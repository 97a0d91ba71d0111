"""Ordinary prose in the ten languages, as sentences; paragraphs of it, in any order."""

from __future__ import annotations

import random

PROSE = {
    "chinese": [
        "今天天气很好，我们去公园吧！",
        "圆周率约为3.14。",
        "“你说什么？”他问。",
        "好……走吧；行，没问题。",
        "他说：「我不去。」",
        "春天来了——花开了。",
    ],
    "english": [
        "Dr. Smith paid $3.14 at 5 p.m. in the U.S. yesterday.",
        'He said: "Really?! No way."',
        "Then J. R. R. Tolkien left...",
        '"Is it true?" she asked.',
        "If a < b and b > c, then 2*3*4 is 24; see fig. 3 (or No. 5).",
        "Rename snake_case to C# at https://example.com/_a_/b_c, don't wait!",
    ],
    "french": [
        "M. Dupont a dit : « Bonjour ! »",
        "Ça va ?",
        "« Où ? » demanda-t-il.",
        "J.-C. Martin a payé 3,50 € à la p. 5, etc.",
        "L'été, c'est-à-dire juillet, arrive…",
    ],
    "german": [
        "Am 3. Mai kam z.B. Prof. Dr. Müller, d.h. um 15 Uhr.",
        "„Wirklich?“, fragte er.",
        "»Ja«, sagte sie.",
        "Die Nr. 5 kostet 3,50 €!",
        "Das ist – wie gesagt – gut.",
    ],
    "italian": [
        "Il Sig. Rossi è qui.",
        "Che bello!",
        "«Sì», disse lei; perché no?",
        "È a pag. 3, ecco.",
    ],
    "japanese": [
        "今日は天気がいいですね。",
        "「行こう！」と言った。",
        "そうですか？",
        "円周率は3.14です。",
        "『ああ。』",
        "東京、大阪、京都……",
    ],
    "korean": [
        "안녕하세요.",
        "저는 3.5점입니다!",
        '"가요." 그가 말했다.',
        "정말, 그래요?",
    ],
    "portuguese": [
        "O Sr. Silva chegou às 5h.",
        "Olá! Tudo bem?",
        "— Não — disse ela.",
        "Custa R$ 3,50, não é?",
    ],
    "russian": [
        "Привет!",
        "И. И. Иванов живёт на ул. Ленина, т.е. тут.",
        "«Да?» — спросил он.",
        "Это стоит 5 тыс. руб. и т.д.",
        "Конец…",
    ],
    "spanish": [
        "¿Cómo estás? ¡Bien!",
        "El Sr. Pérez llegó a las 5 p.m. y se fue.",
        "EE.UU. es grande.",
        "—No sé —dijo—, ¿y tú?",
    ],
}


def paragraphs(random_source: random.Random, language: str, num_sentences: int) -> str:
    """Return that many sentences of a language, now and then with a new line or paragraph."""
    separator = "" if language in ("chinese", "japanese") else " "
    parts = []
    for _ in range(num_sentences):
        parts.append(random_source.choice(PROSE[language]))
        parts.append(random_source.choice([separator] * 8 + ["\n", "\n\n"]))
    return "".join(parts).strip()

"""French numbers, dates, units, abbreviations and signs in words."""

from __future__ import annotations

from qwen_tts_api.service.text.verbalize.languages import LANGUAGES
from qwen_tts_api.service.text.verbalize.say_as import say_as
from qwen_tts_api.service.text.verbalize.verbalizer import make_verbalizer
from tests.rows import for_each

SAID = make_verbalizer(LANGUAGES["french"])

PAIRS = [
    # Whole numbers and decimals
    ("au XXIe s. et vol. II, No 3", "au vingt et unième siècle et volume deux, numéro trois"),
    ("7j/7, 48°51'N", "sept jours sur sept, quarante-huit degrés cinquante et une minutes nord"),
    ("0, 17, 21, 22", "zéro, dix-sept, vingt et un, vingt-deux"),
    ("70, 71, 72, 77", "soixante-dix, soixante et onze, soixante-douze, soixante-dix-sept"),
    ("80, 81, 90, 91", "quatre-vingts, quatre-vingt-un, quatre-vingt-dix, quatre-vingt-onze"),
    ("1m80, 2m05", "un mètre quatre-vingts, deux mètres zéro cinq"),
    ("100, 200, 201", "cent, deux cents, deux cent un"),
    ("1000 ou 80 000", "mille ou quatre-vingt mille"),
    ("1 000 000 ou 1.000.000", "un million ou un million"),
    ("200 000, 300 000 000", "deux cent mille, trois cents millions"),
    ("-5, 3,14, 3,05", "moins cinq, trois virgule quatorze, trois virgule zéro cinq"),
    ("1234567890123456", "un deux trois quatre cinq six sept huit neuf zéro un deux trois quatre "
     "cinq six"),
    ("1 heure, 21 personnes, 1 chat", "une heure, vingt et une personnes, un chat"),
    # Years, dates
    ("1984, 2026", "mille neuf cent quatre-vingt-quatre, deux mille vingt-six"),
    ("44 av. J.-C. il vit", "quarante-quatre avant Jésus-Christ il vit"),
    ("28.11.2026", "vingt-huit novembre deux mille vingt-six"),
    ("28/11/2026", "vingt-huit novembre deux mille vingt-six"),
    ("2026-11-28", "vingt-huit novembre deux mille vingt-six"),
    ("le 28 novembre 2026", "le vingt-huit novembre deux mille vingt-six"),
    ("le 1er mai 2026, le 1 mai", "le premier mai deux mille vingt-six, le premier mai"),
    ("le 3 janv. 2020", "le trois janvier deux mille vingt"),
    ("en mai 20 personnes", "en mai vingt personnes"),
    # Times
    ("14h30, 14 h 30, 14:30", "quatorze heures trente, quatorze heures trente, "
     "quatorze heures trente"),
    ("1h, 21 h, 8h05", "une heure, vingt et une heures, huit heures cinq"),
    ("3 h 20 min, 200k€", "trois heures vingt, deux cent mille euros"),
    # Ordinals
    ("1er, 1re, 2e, 2ème, 2nde", "premier, première, deuxième, deuxième, seconde"),
    ("5e, 9e, 21e, 80e", "cinquième, neuvième, vingt et unième, quatre-vingtième"),
    ("le XXe siècle, au XIXème", "le vingtième siècle, au dix-neuvième"),
    ("Louis XIV, François Ier", "Louis quatorze, François premier"),
    ("La vie, Vie et mort", "La vie, Vie et mort"),
    # Fractions, ranges, scores
    ("1/2, ¾, 2/3", "un demi, trois quarts, deux tiers"),
    ("2 1/2, 3 3/4", "deux et demi, trois et trois quarts"),
    ("5-10 pages, 3:2, 24/7", "cinq à dix pages, trois à deux, vingt-quatre sept"),
    # Percent, money, units
    ("50 %, 2,5 %", "cinquante pour cent, deux virgule cinq pour cent"),
    ("5 €, 1 €, 3,50 €", "cinq euros, un euro, trois euros et cinquante centimes"),
    ("0,99 €, $5, 5 CHF", "quatre-vingt-dix-neuf centimes, cinq dollars, cinq francs suisses"),
    ("1 234,56 €", "mille deux cent trente-quatre euros et cinquante-six centimes"),
    ("1 million €, 5 M€, 2 milliards", "un million d'euros, cinq millions d'euros, deux milliards"),
    ("5 km, 20 °C, 3 GB, 2 Go", "cinq kilomètres, vingt degrés Celsius, trois gigaoctets, "
     "deux gigaoctets"),
    ("60 km/h, 1 t, 100 m²", "soixante kilomètres par heure, une tonne, cent mètres carrés"),
    ("1,5 l, 2 kg", "un virgule cinq litre, deux kilogrammes"),
    # Telephone numbers, addresses
    ("01 23 45 67 89", "zéro un, vingt-trois, quarante-cinq, soixante-sept,"
     " quatre-vingt-neuf"),
    ("info@example.com", "info arobase example point com"),
    ("v2.0.1", "version deux point zéro point un"),
    ("06-12-34-56-78, 0 800 123 456", "zéro six, douze, trente-quatre, cinquante-six,"
     " soixante-dix-huit, zéro, huit cents, cent vingt-trois, quatre cent cinquante-six"),
    ("1/2 heure, ½ litre, 1/2", "une demi heure, un demi litre, un demi"),
    ("le 1/5, le 1/3 de la ville", "le premier mai, le un tiers de la ville"),
    ("format 16/9, échelle 1:10", "format seize sur neuf, échelle un à dix"),
    ("67 M d'habitants, 5 M", "soixante-sept millions d'habitants, cinq M"),
    ("janv.-mars 2025, T1'25", "janvier à mars deux mille vingt-cinq, T un deux mille vingt-cinq"),
    ("24-26 décembre 2025, 8/10", "vingt-quatre à vingt-six décembre deux mille vingt-cinq, huit"
     " sur dix"),
    ("1/4 l, 1/2 l, 3/4 h, 1/2 finale", "un quart de litre, un demi litre, trois quarts d'heure,"
     " une demi finale"),
    ("art. L. 3-2,5", "art. L. trois à deux virgule cinq"),
    ("art. L. 121-1, 2de, chapitres IV-VI", "art. L. cent vingt et un un, seconde, chapitres quatre"
     " à six"),
    # Abbreviations and signs
    ("M. Dupont, Mme Durand", "Monsieur Dupont, Madame Durand"),
    ("Mme Durand", "Madame Durand"),
    ("Dr Martin, MM. Abel", "Docteur Martin, Messieurs Abel"),
    ("p. ex. ici, c.-à-d. non, etc.", "par exemple ici, c'est-à-dire non, et cetera."),
    ("n° 5, n°6, p. 7", "numéro cinq, numéro six, page sept"),
    ("lun-ven 9h-17h", "lundi à vendredi neuf heures à dix-sept heures"),
    ("3-5 mai, 15/20, 2x plus", "trois à cinq mai, quinze sur vingt, deux fois plus"),
    ("A & B, 2 + 2 = 4, @bob", "A et B, deux plus deux égale quatre, arobase bob"),
]  # fmt: skip


@for_each(("text", "said"), PAIRS)
def test_french(text: str, said: str) -> None:
    assert SAID.verbalize(text) == said


def test_what_has_no_numbers_stays() -> None:
    text = "Le chat dort à la fenêtre, et la vie est belle en mai, n'est-ce pas ?"
    assert list(SAID.find_edits(text)) == []


@for_each(
    ("text", "interpret_as", "order", "said"),
    [
        ("12", "ordinal", "", "douzième"),
        ("XX", "ordinal", "", "vingtième"),
        ("1984", "cardinal", "", "mille neuf cent quatre-vingt-quatre"),
        ("1 1/2", "fraction", "", "un et demi"),
        ("11/28/2026", "date", "mdy", "vingt-huit novembre deux mille vingt-six"),
    ],
)
def test_say_as(text: str, interpret_as: str, order: str, said: str) -> None:
    assert say_as(text, interpret_as, "French", order) == said

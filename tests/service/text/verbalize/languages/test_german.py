"""German numbers, dates, units, abbreviations and signs in words."""

from __future__ import annotations

from qwen_tts_api.service.text.sentences import find_sentences
from qwen_tts_api.service.text.verbalize.languages import LANGUAGES
from qwen_tts_api.service.text.verbalize.say_as import say_as
from qwen_tts_api.service.text.verbalize.verbalizer import make_verbalizer
from tests.rows import for_each

SAID = make_verbalizer(LANGUAGES["german"])

PAIRS = [
    # Whole numbers and decimals
    ("100%ig, 5jährig, 18-Jährige", "hundertprozentig, fünfjährig, Achtzehnjährige"),
    ("3-mal, 4fach", "dreimal, vierfach"),
    ("1,- € und 5,-- EUR, €1,-", "ein Euro und fünf Euro, ein Euro"),
    ("Bd. II, im 5. Jh. v. Chr.", "Band zwei, im fünften Jahrhundert vor Christus"),
    ("0, 1, 21, 101", "null, eins, einundzwanzig, einhunderteins"),
    ("16, 17, 30, 99", "sechzehn, siebzehn, dreißig, neunundneunzig"),
    ("1.000, 21.000", "eintausend, einundzwanzigtausend"),
    ("1.000.000 und 2 000 000", "eine Million und zwei Millionen"),
    ("1.000.021", "eine Million einundzwanzig"),
    ("-5, 3,14, 0,5", "minus fünf, drei Komma eins vier, null Komma fünf"),
    ("3.14", "drei Komma eins vier"),
    ("1.234,5", "eintausendzweihundertvierunddreißig Komma fünf"),
    ("1234567890123456", "eins zwei drei vier fünf sechs sieben acht neun null " + "eins zwei drei "
     "vier fünf sechs"),
    ("1 Apfel, 1 Tasse, 1 Stunde", "ein Apfel, eine Tasse, eine Stunde"),
    # Years and decades
    ("1984, 2026, 1066", "neunzehnhundertvierundachtzig, zweitausendsechsundzwanzig, "
     "tausendsechsundsechzig"),
    ("die 1980er, die 80er", "die neunzehnhundertachtziger, die achtziger"),
    ("44 v. Chr. starb er", "vierundvierzig vor Christus starb er"),
    # Dates
    ("28.11.2026", "achtundzwanzigster November zweitausendsechsundzwanzig"),
    ("2026-11-28", "achtundzwanzigster November zweitausendsechsundzwanzig"),
    ("am 28/11/2026", "am achtundzwanzigsten November zweitausendsechsundzwanzig"),
    ("am 28. November", "am achtundzwanzigsten November"),
    ("Der 3. Mai", "Der dritte Mai"),
    ("Montag, den 3. Mai 1999", "Montag, den dritten Mai neunzehnhundertneunundneunzig"),
    ("vom 1. bis 3. Mai", "vom ersten bis dritten Mai"),
    ("der 28.11. ist frei", "der achtundzwanzigste November ist frei"),
    ("am 28.11.", "am achtundzwanzigsten November."),
    ("am 7. Okt. 2020", "am siebten Oktober zweitausendzwanzig"),
    # Times
    ("um 14:30 Uhr, 14.30 Uhr", "um vierzehn Uhr dreißig, vierzehn Uhr dreißig"),
    ("14:30, 7:00 und 1 Uhr", "vierzehn Uhr dreißig, sieben Uhr und ein Uhr"),
    ("Die 3 am Tisch", "Die drei am Tisch"),
    # Ordinals
    ("am 3. Tag, in der 2. Klasse", "am dritten Tag, in der zweiten Klasse"),
    ("das 20. Jahrhundert, ein 2. Mal", "das zwanzigste Jahrhundert, ein zweites Mal"),
    ("die Kinder der 4. Klasse", "die Kinder der vierten Klasse"),
    ("zum 1. und 7. Mal", "zum ersten und siebten Mal"),
    ("1. Platz, 8. Runde", "erster Platz, achte Runde"),
    ("Er kommt am 28.", "Er kommt am achtundzwanzigsten."),
    ("1 neues Auto, 1 alte Tür, 1 oder 2", "ein neues Auto, eine alte Tür, eins oder zwei"),
    ("1. Äpfel kaufen", "erstens Äpfel kaufen"),
    ("Es waren 5. Dann", "Es waren fünf. Dann"),
    ("Ludwig XIV. war hier", "Ludwig der Vierzehnte war hier"),
    # Fractions, ranges, scores
    ("1/2, ¾, 2/3", "ein halb, drei Viertel, zwei Drittel"),
    ("2 1/2, 3 3/4", "zweieinhalb, drei drei Viertel"),
    ("5-10 Seiten, 1914–1918", "fünf bis zehn Seiten, neunzehnhundertvierzehn bis "
     "neunzehnhundertachtzehn"),
    ("3:2, 24/7, 4x4", "drei zu zwei, vierundzwanzig sieben, vier mal vier"),
    # Percent, money, units
    ("50 %, 2,5%, 5-10 %", "fünfzig Prozent, zwei Komma fünf Prozent, fünf bis zehn Prozent"),
    ("5 €, 1 €, 3,50 €", "fünf Euro, ein Euro, drei Euro und fünfzig Cent"),
    ("0,99 €, $5, 5 CHF", "neunundneunzig Cent, fünf Dollar, fünf Schweizer Franken"),
    ("1.000,50 Euro", "eintausend Euro und fünfzig Cent"),
    ("1 Mio. Euro, 2 Mrd. €", "eine Million Euro, zwei Milliarden Euro"),
    ("5 km, 20 °C, 3 GB, 2 kg", "fünf Kilometer, zwanzig Grad Celsius, drei Gigabyte, "
     "zwei Kilogramm"),
    ("60 km/h, 1 h, 100 m²", "sechzig Kilometer pro Stunde, eine Stunde, einhundert Quadratmeter"),
    ("5 Min. Pause, 5 Min.", "fünf Minuten Pause, fünf Minuten."),
    # Telephone numbers, addresses
    ("030 1234567", "null drei null, eins zwei drei vier fünf sechs sieben"),
    ("+49 30 123456", "plus vier neun, drei null, eins zwei drei vier fünf sechs"),
    ("info@example.com", "info at example Punkt com"),
    ("v2.0.1", "Version zwei Punkt null Punkt eins"),
    # Abbreviations and signs
    ("z. B. hier, z.B. da, d. h. gut", "zum Beispiel hier, zum Beispiel da, das heißt gut"),
    ("Obst usw.", "Obst und so weiter."),
    ("Dr. Abel, Hr. Maier, Nr. 5", "Doktor Abel, Herr Maier, Nummer fünf"),
    ("ca. 3 bzw. Autos, S. 5", "circa drei beziehungsweise Autos, Seite fünf"),
    ("Mo-Fr 9.00-17.00 Uhr", "Montag bis Freitag neun bis siebzehn Uhr"),
    ("vom 3.-5. Mai, 2x", "vom dritten bis fünften Mai, zwei Mal"),
    ("1,000,000, 10 x 20 cm", "eine Million, zehn mal zwanzig Zentimeter"),
    ("im XIV. Jahrhundert, der II. Weltkrieg", "im vierzehnten Jahrhundert, der zweite Weltkrieg"),
    ("Hauptstr. 5, in der Uferstr.", "Hauptstraße fünf, in der Uferstraße."),
    ("auf den 20.-30. Platz", "auf den zwanzigsten bis dreißigsten Platz"),
    ("die 68er, in den 1980ern", "die achtundsechziger, in den neunzehnhundertachtzigern"),
    ("§§ 5-7, u. a. m.", "Paragrafen fünf bis sieben, und anderes mehr."),
    ("vom 24.-26.12., 24.–26.12.2025", "vom vierundzwanzigsten bis sechsundzwanzigsten Dezember,"
     " vierundzwanzigsten bis sechsundzwanzigsten Dezember zweitausendfünfundzwanzig"),
    ("am 24./25. Dezember", "am vierundzwanzigsten und fünfundzwanzigsten Dezember"),
    ("3,5-mal, 2,5-fache, 1.000er", "drei Komma fünfmal, zwei Komma fünffache, eintausender"),
    ("½ Liter, 1/2 Stunde, 1/2", "ein halber Liter, eine halbe Stunde, ein halb"),
    ("1-Zimmer-Wohnung, mit 1 Hand", "ein-Zimmer-Wohnung, mit einer Hand"),
    ("in 1 Jahr, Absatz 1 Satz 2", "in einem Jahr, Absatz eins Satz zwei"),
    ("§ 1 BGB, 1 Mark", "Paragraf eins BGB, eine Mark"),
    ("1., 2. und 3. Platz", "erster, zweiter und dritter Platz"),
    ("im Maßstab 1:10, um 1:10", "im Maßstab eins zu zehn, um ein Uhr zehn"),
    ("8/10 Punkten, 3/5 Sterne, 3/5", "acht von zehn Punkten, drei von fünf Sterne, drei Fünftel"),
    ("Jan.–März, Q1/2025", "Januar bis März, Q eins zweitausendfünfundzwanzig"),
    ("6 · 10³, (030) 123456", "sechs mal zehn hoch drei, null drei null, eins zwei drei vier fünf"
     " sechs"),
    ("Seiten 737-800", "Seiten siebenhundertsiebenunddreißig bis achthundert"),
    ("in 3. Auflage, in 2. Anlauf, 1 mal", "in dritter Auflage, in zweitem Anlauf, ein mal"),
    ("PLZ 10115, 08/15, 3 ct/kWh", "PLZ eins null eins eins fünf, null acht fünfzehn, drei Cent pro"
     " Kilowattstunde"),
    ("Kapitel III-V, 3 EL", "Kapitel drei bis fünf, drei Esslöffel"),
    ("1m80 hoch", "ein Meter achtzig hoch"),
    ("A & B, 2 + 2 = 4, @bob", "A und B, zwei plus zwei gleich vier, at bob"),
]  # fmt: skip


@for_each(("text", "said"), PAIRS)
def test_german(text: str, said: str) -> None:
    assert SAID.verbalize(text) == said


def test_what_has_no_numbers_stays() -> None:
    text = "Die Katze sitzt am Fenster, und so bleibt es im Mai in der Stadt."
    assert list(SAID.find_edits(text)) == []


def test_abbreviations_of_letters_with_spaces_do_not_end_a_sentence() -> None:
    text = "Obst, z. B. Äpfel, u. U. Birnen, v. Chr. Dann Brot."
    assert [text[:end] for end in find_sentences(text)][:1] == [
        "Obst, z. B. Äpfel, u. U. Birnen, v. Chr."
    ]


def test_an_ordinal_behind_an_article_does_not_end_a_sentence() -> None:
    text = "Der 100. Besucher kam. Es waren 100. Dann"
    assert [text[:end] for end in find_sentences(text)] == [text[:22], text[:36]]


@for_each(
    ("text", "interpret_as", "order", "said"),
    [
        ("12", "ordinal", "", "zwölfte"),
        ("1984", "cardinal", "", "eintausendneunhundertvierundachtzig"),
        ("1 3/4", "fraction", "", "eins drei Viertel"),
        ("555 12", "telephone", "", "fünf fünf fünf, eins zwei"),
        ("11/28/2026", "date", "mdy", "achtundzwanzigster November zweitausendsechsundzwanzig"),
    ],
)
def test_say_as(text: str, interpret_as: str, order: str, said: str) -> None:
    assert say_as(text, interpret_as, "German", order) == said

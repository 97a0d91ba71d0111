"""German words for months, units, currencies, signs and abbreviations."""

from __future__ import annotations

from qwen_tts_api.service.text.verbalize.languages.terms import Currency, Noun

MONTHS = (
    "Januar Februar März April Mai Juni Juli August September Oktober November Dezember"
).split()
MONTH_NAMES = {
    **{name.lower(): number for number, name in enumerate(MONTHS, 1)},
    **{name[:3].lower(): number for number, name in enumerate(MONTHS, 1)},
    **{"jänner": 1, "feber": 2, "mrz": 3, "sept": 9},
}

ENDING_IN_N = frozenset(
    "am im vom zum zur beim ans ins dem den des ab bis seit diesem diesen jedem jeden einem einen"
    " einer eines meinem meinen meiner seinem seinen seiner ihrem ihren ihrer unserem unseren"
    " unserer deinem deinen deiner nächsten letzten".split()
)
ENDING_IN_E = frozenset("der die das dieser diese dieses jeder jede jedes eine meine seine ihre"
                        " unsere deine".split())  # fmt: skip
WITHOUT_ENDING = frozenset("ein kein mein dein sein ihr unser euer".split())
PREPOSITIONS = frozenset(
    "in an auf aus bei mit nach seit von zu vor hinter unter über neben zwischen ab während wegen"
    " trotz gegenüber anlässlich innerhalb außerhalb".split()
)
ORDERED = frozenset(
    "Platz Klasse Kapitel Preis Weltkrieg Jahrhundert Mal Stock Etage Runde Tag Woche Monat Jahr"
    " Liga Bundesliga Geburtstag Auflage Semester Quartal Halbjahr Akt Szene Satz Halbzeit Spiel"
    " Spieltag Staffel Folge Teil Band Advent Obergeschoss Etappe Kind Hälfte Person Reihe Gang"
    " Stunde Minute Stufe Schritt Grades Grad Reich Republik Generation Ausgabe Bezirk Jahrtausend"
    " Jh Jhd OG FC Absatz Abschnitt Artikel Versuch Termin Stelle Rang Vorsitzende"
    " Vorsitzender Anlauf Durchgang".split()
)
NEUTER = frozenset(
    "Mal Kapitel Jahrhundert Jh Jhd Jahrtausend Jahr Quartal Halbjahr Semester Spiel Kind"
    " Obergeschoss Reich Buch Tor".split()
)
FEMININE = frozenset(
    "Liga Bundesliga Person Million Nacht Stadt Frau Hand Uhrzeit Halbzeit Art Zahl Tür Wand"
    " Mark Milliarde".split()
)
FEMININE_ENDINGS = ("e", "ung", "heit", "keit", "schaft", "tion", "sion", "tät", "ik", "ei", "in")
SCALE_PLURALS = {"Million": "Millionen", "Milliarde": "Milliarden", "Billion": "Billionen"}
SCALES = {
    **dict.fromkeys(("Mio.", "Mio", "Million", "Millionen", "M"), "Million"),
    **dict.fromkeys(("Mrd.", "Mrd", "Milliarde", "Milliarden"), "Milliarde"),
    **dict.fromkeys(("Bio.", "Billion", "Billionen"), "Billion"),
    **dict.fromkeys(("Tsd.", "Tsd", "k", "Tausend", "tausend"), "tausend"),
}

_PREFIXES = {"k": "Kilo", "M": "Mega", "G": "Giga", "T": "Tera", "m": "Milli", "µ": "Mikro"}
_PREFIXES |= {"μ": "Mikro", "n": "Nano", "c": "Zenti", "d": "Dezi", "h": "Hekto"}


def _same(name: str) -> Noun:
    return Noun(name, name)


def _units() -> dict[str, Noun]:
    named = {
        "x": "Mal", "m": "Meter", "g": "Gramm",
        "l": "Liter", "L": "Liter", "W": "Watt", "V": "Volt",
        "J": "Joule", "N": "Newton", "Pa": "Pascal", "Hz": "Hertz", "K": "Kelvin", "ha": "Hektar",
        "cal": "Kalorien", "kcal": "Kilokalorien", "px": "Pixel", "bit": "Bit", "dB": "Dezibel",
        "bar": "Bar", "mol": "Mol", "°": "Grad", "°C": "Grad Celsius", "℃": "Grad Celsius",
        "°F": "Grad Fahrenheit", "℉": "Grad Fahrenheit", "PS": "P S", "Wh": "Wattstunden",
        "lb": "Pfund", "kn": "Knoten", "Stk.": "Stück", "St.": "Stück", "J.": "Jahre",
        "EL": "Esslöffel", "TL": "Teelöffel",
        "rpm": "Umdrehungen pro Minute", "fps": "Bilder pro Sekunde", "ppm": "Teile pro Million",
        "dpi": "Punkte pro Zoll", "mph": "Meilen pro Stunde", "kmh": "Kilometer pro Stunde",
    }  # fmt: skip
    units = {symbol: _same(name) for symbol, name in named.items()}
    for symbol, name, prefixes in (
        ("m", "meter", "kcdmµμn"), ("g", "gramm", "kmµ"), ("l", "liter", "mcdhµ"),
        ("L", "liter", "m"), ("B", "byte", "kMGT"), ("bit", "bit", "kMG"), ("W", "watt", "kMGm"),
        ("V", "volt", "kMm"), ("A", "ampere", "km"), ("Hz", "hertz", "kMGT"),
        ("Pa", "pascal", "hkM"), ("J", "joule", "kM"), ("N", "newton", "k"),
    ):  # fmt: skip
        units |= {f"{each}{symbol}": _same(_PREFIXES[each] + name) for each in prefixes}
    units |= {
        f"{each}Wh": Noun(f"{_PREFIXES[each]}wattstunde", f"{_PREFIXES[each]}wattstunden", True)
        for each in "kMGT"
    }
    units |= {
        f"{each}{unit}": _same(f"{_PREFIXES[each]}bit pro Sekunde")
        for each in "kMG"
        for unit in ("bps", "bit/s")
    }
    units["KB"] = units["kB"]
    units["mmHg"] = _same("Millimeter Quecksilbersäule")
    units |= {"cal": Noun("Kalorie", "Kalorien", True), "J.": Noun("Jahr", "Jahre")}
    units |= {"kcal": Noun("Kilokalorie", "Kilokalorien", True)}
    for symbols, noun in (
        (("t",), Noun("Tonne", "Tonnen", True)),
        (("h", "Std", "Std."), Noun("Stunde", "Stunden", True)),
        (("min", "min.", "Min", "Min."), Noun("Minute", "Minuten", True)),
        (("s", "sec", "Sek", "Sek."), Noun("Sekunde", "Sekunden", True)),
        (("ms",), Noun("Millisekunde", "Millisekunden", True)),
        (("Mon.",), Noun("Monat", "Monate")),
        (("Jh.", "Jhd."), Noun("Jahrhundert", "Jahrhunderte")),
        (("mi",), Noun("Meile", "Meilen", True)),
        (("ft",), Noun("Fuß", "Fuß")),
        (("in",), Noun("Zoll", "Zoll")),
    ):
        units |= dict.fromkeys(symbols, noun)
    for symbol in ("m", "km", "cm", "mm"):
        for power, word in (("2", "Quadrat"), ("²", "Quadrat"), ("3", "Kubik"), ("³", "Kubik")):
            units[symbol + power] = _same(word + units[symbol].one.lower())
    return units | {"qm": units["m²"]}


UNITS = _units()


def _plain(name: str, cent: str = "") -> Currency:
    return Currency(Noun(name, name), Noun(cent, cent) if cent else None)


_DOLLAR = _plain("Dollar", "Cent")
_EURO = _plain("Euro", "Cent")
_POUND = Currency(Noun("Pfund", "Pfund"), Noun("Penny", "Pence"))
_FRANC = _plain("Schweizer Franken", "Rappen")
_CROWN = Noun("Krone", "Kronen", True)
CURRENCIES = {
    **{"€": _EURO, "EUR": _EURO, "Euro": _EURO, "$": _DOLLAR, "USD": _plain("US-Dollar", "Cent")},
    **{"US$": _plain("US-Dollar", "Cent"), "£": _POUND, "GBP": _POUND, "CHF": _FRANC},
    **{"Fr.": _plain("Franken", "Rappen"), "SFr.": _FRANC, "¢": _plain("Cent"), "¥": _plain("Yen")},
    "ct": _plain("Cent"),
    **{"￥": _plain("Yen"), "JPY": _plain("Yen"), "CNY": _plain("Yuan"), "RMB": _plain("Yuan")},
    **{"₹": _plain("Rupien"), "INR": _plain("Rupien"), "₽": _plain("Rubel", "Kopeken")},
    **{"RUB": _plain("Rubel", "Kopeken"), "₩": _plain("Won"), "KRW": _plain("Won")},
    **{"₺": _plain("Lira"), "TRY": _plain("Lira"), "₴": _plain("Hrywnja"), "₿": _plain("Bitcoin")},
    **{"BTC": _plain("Bitcoin"), "₫": _plain("Dong"), "₪": _plain("Schekel")},
    **{"PLN": _plain("Zloty"), "SEK": Currency(_CROWN, None), "DKK": Currency(_CROWN, None)},
    **{"NOK": Currency(_CROWN, None), "CAD": _plain("kanadische Dollar", "Cent")},
    **{"AUD": _plain("australische Dollar", "Cent"), "DM": Currency(
        Noun("Mark", "Mark", True), Noun("Pfennig", "Pfennig"))},
}  # fmt: skip


def _spaced(table: dict[str, str]) -> dict[str, str]:
    """Return abbreviations of several parts with every kind of space between them, and none."""
    spaces = (" ", "", "\u00a0", "\u202f")
    return {key.replace(" ", space): said for key, said in table.items() for space in spaces}


# What ends a sentence keeps its full stop; titles never do.
_MID_SENTENCE = _spaced({
    "z. b.": "zum Beispiel", "d. h.": "das heißt", "u. a.": "unter anderem", "i. d. r.":
    "in der Regel", "z. t.": "zum Teil", "u. u.": "unter Umständen", "m. e.": "meines Erachtens",
    "i. a.": "im Allgemeinen", "o. g.": "oben genannt", "s. o.": "siehe oben", "s. u.":
    "siehe unten", "v. a.": "vor allem", "z. zt.": "zurzeit", "z. z.": "zurzeit", "v. chr.":
    "vor Christus", "n. chr.": "nach Christus", "i. v.": "in Vertretung", "a. d.": "an der",
    "dr.": "Doktor", "prof.": "Professor", "hr.": "Herr", "hrn.": "Herrn", "fr.": "Frau",
    "frl.": "Fräulein", "dipl.": "Diplom", "ing.": "Ingenieur", "st.": "Sankt", "bzw.":
    "beziehungsweise", "ca.": "circa", "vgl.": "vergleiche", "bspw.": "beispielsweise", "evtl.":
    "eventuell", "ggf.": "gegebenenfalls", "inkl.": "inklusive", "exkl.": "exklusive", "zzgl.":
    "zuzüglich", "abzgl.": "abzüglich", "sog.": "sogenannte", "max.": "maximal", "min.":
    "minimal", "mind.": "mindestens", "etw.": "etwas", "jmd.": "jemand", "allg.": "allgemein",
    "geb.": "geboren", "gest.": "gestorben", "gem.": "gemäß", "lt.": "laut", "tel.": "Telefon",
    "insb.": "insbesondere", "insbes.": "insbesondere", "einschl.": "einschließlich", "ehem.":
    "ehemals", "urspr.": "ursprünglich", "zw.": "zwischen", "entspr.": "entsprechend", "betr.":
    "betrifft", "vs.": "versus", "rd.": "rund", "ungef.": "ungefähr", "telef.": "telefonisch",
    "int.": "international", "nat.": "national", "mr.": "Mister", "mrs.": "Missis",
})  # fmt: skip
ABBREVIATIONS = _MID_SENTENCE | _spaced({
    "usw.": "und so weiter", "etc.": "et cetera", "u. s. w.": "und so weiter", "usf.":
    "und so fort", "u. ä.": "und Ähnliches", "o. ä.": "oder Ähnliches", "u. v. m.":
    "und vieles mehr", "uvm.": "und vieles mehr", "u. dgl.": "und dergleichen", "str.": "Straße",
    "u. a. m.": "und anderes mehr", "mwst": "Mehrwertsteuer",
    "mwst.": "Mehrwertsteuer", "abb.": "Abbildung", "jh.": "Jahrhundert", "jhd.": "Jahrhundert",
    "mio.": "Millionen", "mrd.": "Milliarden", "std.": "Stunden", "stk.": "Stück", "mo.": "Montag",
    "di.": "Dienstag", "mi.": "Mittwoch", "do.": "Donnerstag", "sa.": "Samstag",
    "jr.": "junior", "sen.": "senior", "jun.": "junior", "bhf.": "Bahnhof", "hbf.": "Hauptbahnhof",
    "abt.": "Abteilung", "anm.": "Anmerkung", "verf.": "Verfasser", "hrsg.": "Herausgeber",
    "a. m.": "am Main", "d. j.": "dieses Jahres", "vs": "versus",
})  # fmt: skip
TITLES = frozenset(_MID_SENTENCE)
"""Abbreviations behind which a sentence goes on."""
CAPITALIZED_ONLY = frozenset(
    "st. fr. hr. mo. di. mi. do. sa. jh. jhd. sen. jun. ing. a.m. abb.".split()
)

# Only before a number.
BEFORE_NUMBER = {
    "nr.": "Nummer", "nrn.": "Nummern", "s.": "Seite", "bd.": "Band", "kap.": "Kapitel",
    "abb.": "Abbildung", "tab.": "Tabelle", "art.": "Artikel", "abs.": "Absatz", "aufl.": "Auflage",
    "ca.": "circa", "min.": "minimal", "max.": "maximal", "№": "Nummer", "tel.": "Telefon",
    "zi.": "Zimmer", "pos.": "Position", "anm.": "Anmerkung", "ver.": "Version", "op.": "Opus",
    "§§": "Paragrafen",
}  # fmt: skip

SIGNS = {
    "/": "von",
    "+": "plus", "=": "gleich", "×": "mal", "÷": "geteilt durch", "±": "plus minus",
    "≤": "kleiner oder gleich", "≥": "größer oder gleich", "≠": "ungleich", "≈": "ungefähr",
    "√": "Wurzel aus", "∞": "unendlich", "∑": "Summe", "<": "kleiner als", ">": "größer als",
    "%": "Prozent", "‰": "Promille", "&": "und", "@": "at", "#": "Nummer", "§": "Paragraf",
    "©": "Copyright", "®": "eingetragen", "™": "Marke", "°": "Grad", "~": "ungefähr",
    "^": "hoch", "*": "mal", "−": "minus", "π": "Pi", "²": "Quadrat", "³": "hoch drei",
    "µ": "Mikro", "Ω": "Ohm", "¶": "Absatz", "∆": "Delta", "Δ": "Delta", "¹": "hoch eins",
    "⁄": "durch", "№": "Nummer", "℃": "Grad Celsius", "℉": "Grad Fahrenheit", "∈": "in",
    "∀": "für alle", "∃": "es existiert", "∫": "Integral von", "≡": "identisch mit",
    "and": "und", "by": "mal",
}  # fmt: skip
ADDRESS_SIGNS = {
    ".": "Punkt", "@": "at", "/": "Schrägstrich", "-": "Bindestrich", "_": "Unterstrich",
    ":": "Doppelpunkt", "?": "Fragezeichen", "=": "gleich", "&": "und", "#": "Raute",
    "~": "Tilde", "%": "Prozent", "+": "plus", "*": "Stern", ",": "Komma", ";": "Strichpunkt",
    "!": "Ausrufezeichen",
}  # fmt: skip
DIRECTIONS = {
    "N": "Nord", "O": "Ost", "E": "Ost", "S": "Süd", "W": "West", "NO": "Nordost", "SO": "Südost",
    "SW": "Südwest", "NW": "Nordwest",
}  # fmt: skip
COMPOUND_TAILS = (
    r"%ig\p{Ll}*|(?i:jährig|ständig|prozentig|stündig|minütig|sekündig|tägig|wöchig|monatig|stellig|teilig"
    r"|seitig|köpfig|malig|zeilig|türig|sitzig|stöckig|beinig|armig|fach|dimensional|stündlich"
    r"|mal(?!s?\p{L}))\p{Ll}*"
)
HASH_NAMES = {"number": "Nummer", "sharp": "sharp", "tag": "Hashtag", "sign": "Raute"}

WEEKDAYS = {
    "mo": "Montag", "di": "Dienstag", "mi": "Mittwoch", "do": "Donnerstag", "fr": "Freitag",
    "sa": "Samstag", "so": "Sonntag",
}  # fmt: skip

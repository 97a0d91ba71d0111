"""French words for months, units, currencies, signs and abbreviations."""

from __future__ import annotations

from qwen_tts_api.service.text.verbalize.languages.terms import Currency, Noun

MONTHS = (
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre"
).split()
MONTH_NAMES = {
    **{name: number for number, name in enumerate(MONTHS, 1)},
    **{"janv": 1, "jan": 1, "févr": 2, "fév": 2, "avr": 4, "juil": 7, "sept": 9, "oct": 10},
    **{"nov": 11, "déc": 12, "fevrier": 2, "aout": 8, "decembre": 12},
}

FEMININE = frozenset(
    "heure minute seconde foi fois personne semaine année page pièce voiture femme fille tasse"
    " pomme table chambre maison rue ville tonne livre calorie orange banane bouteille boîte"
    " équipe école porte fenêtre image lettre ligne langue carte marche étape partie place"
    " histoire tranche cuillère vache poule fleur main robe chaise valeur erreur couleur part"
    " finale journée bière saison raison leçon chanson nuit fin loi photo vidéo".split()
)
FEMININE_ENDINGS = (
    *("tion", "sion", "té", "ée", "ette", "ance", "ence", "ure", "ie", "ille", "elle", "esse"),
    *("euse", "trice", "ade", "aison", "tude"),
)

SCALES = {
    **dict.fromkeys(("million", "millions", "M", "Mio"), "million"),
    **dict.fromkeys(("milliard", "milliards", "Md", "Mds", "Mrd"), "milliard"),
    **dict.fromkeys(("billion", "billions"), "billion"),
    **dict.fromkeys(("mille", "k"), "mille"),
}

_PREFIXES = {"k": "kilo", "M": "méga", "G": "giga", "T": "téra", "m": "milli", "µ": "micro"}
_PREFIXES |= {"μ": "micro", "n": "nano", "c": "centi", "d": "déci", "h": "hecto"}


def _noun(name: str, *, is_feminine: bool = False) -> Noun:
    """Return a noun whose first word, and no other, has an s in the plural."""
    head, space, rest = name.partition(" ")
    plural = head if head.endswith(("s", "z")) else f"{head}s"
    return Noun(name, f"{plural}{space}{rest}", is_feminine)


def _units() -> dict[str, Noun]:
    named = {
        "m": "mètre", "g": "gramme", "l": "litre", "L": "litre", "W": "watt", "V": "volt",
        "J": "joule", "N": "newton", "Pa": "pascal", "Hz": "hertz", "K": "kelvin", "px": "pixel",
        "ha": "hectare", "dB": "décibel", "bar": "bar", "mol": "mole", "°": "degré", "°C":
        "degré Celsius", "℃": "degré Celsius", "°F": "degré Fahrenheit", "℉": "degré Fahrenheit",
        "Wh": "watt-heure", "j": "jour", "ch": "cheval-vapeur", "kmh": "kilomètre par heure",
        "tr/min": "tour par minute", "mph": "mile par heure", "ft": "pied",
    }  # fmt: skip
    units = {symbol: _noun(name) for symbol, name in named.items()}
    for symbol, name, prefixes in (
        ("m", "mètre", "kcdmµμn"), ("g", "gramme", "kmµ"), ("l", "litre", "mcdhµ"),
        ("L", "litre", "mc"), ("B", "octet", "kMGT"), ("o", "octet", "kMGT"),
        ("bit", "bit", "kMG"), ("W", "watt", "kMGm"), ("V", "volt", "kMm"), ("A", "ampère", "km"),
        ("Wh", "watt-heure", "kMGT"), ("Hz", "hertz", "kMGT"), ("Pa", "pascal", "hkM"),
        ("J", "joule", "kM"), ("N", "newton", "k"), ("bps", "bit par seconde", "kMG"),
        ("bit/s", "bit par seconde", "kMG"), ("s", "seconde", "mµμn"),
    ):  # fmt: skip
        is_feminine = name == "seconde"
        units |= {
            f"{each}{symbol}": _noun(_PREFIXES[each] + name, is_feminine=is_feminine)
            for each in prefixes
        }
    units |= {"Ko": units["ko"], "KB": units["kB"], "in": _noun("pouce")}
    for symbols, name in (
        (("t",), "tonne"), (("h",), "heure"), (("min", "min.", "mn"), "minute"),
        (("s", "sec", "sec."), "seconde"), (("lb",), "livre"), (("cal",), "calorie"),
        (("kcal",), "kilocalorie"),
    ):  # fmt: skip
        units |= dict.fromkeys(symbols, _noun(name, is_feminine=True))
    for symbol in ("m", "km", "cm", "mm"):
        one, many, _ = units[symbol]
        for power, word in (("2", "carré"), ("²", "carré"), ("3", "cube"), ("³", "cube")):
            units[symbol + power] = Noun(f"{one} {word}", f"{many} {word}s")
    units |= {"x": Noun("fois", "fois", True)}
    units |= {"M€": _noun("million d'euros"), "Md€": _noun("milliard d'euros")}
    units |= {"mmHg": Noun("millimètre de mercure", "millimètres de mercure")}
    return units | {"k€": _noun("millier d'euros"), "Mds€": units["Md€"]}


UNITS = _units()


def _plain(name: str, cent: str = "") -> Currency:
    return Currency(_noun(name), _noun(cent) if cent else None)


_DOLLAR = _plain("dollar", "cent")
_EURO = _plain("euro", "centime")
_POUND = Currency(_noun("livre sterling", is_feminine=True), Noun("penny", "pence"))
_FRANC = Currency(Noun("franc suisse", "francs suisses"), _noun("centime"))
CURRENCIES = {
    **{"€": _EURO, "EUR": _EURO, "euro": _EURO, "euros": _EURO, "$": _DOLLAR},
    **{"US$": Currency(Noun("dollar américain", "dollars américains"), _DOLLAR.cent)},
    **{"USD": Currency(Noun("dollar américain", "dollars américains"), _DOLLAR.cent)},
    **{"CAD": Currency(Noun("dollar canadien", "dollars canadiens"), _DOLLAR.cent)},
    **{"£": _POUND, "GBP": _POUND, "CHF": _FRANC, "¢": _plain("cent"), "¥": _plain("yen")},
    **{"￥": _plain("yen"), "JPY": _plain("yen"), "CNY": _plain("yuan"), "RMB": _plain("yuan")},
    **{"₹": _plain("roupie"), "INR": _plain("roupie"), "₽": _plain("rouble", "kopeck")},
    **{"RUB": _plain("rouble", "kopeck"), "₩": _plain("won"), "KRW": _plain("won")},
    **{
        "₿": _plain("bitcoin"),
        "BTC": _plain("bitcoin"),
        "₺": _plain("lire"),
        "₪": _plain("shekel"),
    },
    **{"FCFA": Currency(Noun("franc CFA", "francs CFA"), None), "PLN": _plain("zloty")},
}


def _spaced(table: dict[str, str]) -> dict[str, str]:
    """Return abbreviations of several parts with every kind of space between them, and none."""
    spaces = (" ", "", "\u00a0", "\u202f")
    return {key.replace(" ", space): said for key, said in table.items() for space in spaces}


# Centuries and the like; as they are written, since `vie` is a word.
_TENS = ("", "X", "XX")
_FIRST = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")
_ORDINALS = (
    "deuxième troisième quatrième cinquième sixième septième huitième neuvième dixième onzième"
    " douzième treizième quatorzième quinzième seizième dix-septième dix-huitième dix-neuvième"
    " vingtième"
).split()
_ROMANS = {
    f"{_TENS[number // 10]}{_FIRST[number % 10]}{suffix}": said
    for number, said in enumerate([*_ORDINALS, "vingt et unième"], 2)
    for suffix in ("e", "ème", "ᵉ")
} | {"Ier": "premier", "Iᵉʳ": "premier", "Ire": "première", "Ière": "première"}

# What ends a sentence keeps its full stop; titles never do.
_ROMANS |= {f"{roman} s.": f"{said} siècle" for roman, said in _ROMANS.items()}

_MID_SENTENCE = _spaced({
    "m.": "Monsieur", "mm.": "Messieurs", "mme": "Madame", "mme.": "Madame", "mmes": "Mesdames",
    "mlle": "Mademoiselle", "mlles": "Mesdemoiselles", "mgr": "Monseigneur", "dr": "Docteur",
    "dr.": "Docteur", "drs": "Docteurs", "pr": "Professeur", "pr.": "Professeur", "prof.":
    "Professeur", "st": "Saint", "ste": "Sainte", "p. ex.": "par exemple", "par ex.":
    "par exemple", "c.-à-d.": "c'est-à-dire", "c. à d.": "c'est-à-dire", "càd": "c'est-à-dire",
    "cf.": "voir", "env.": "environ", "tél.": "téléphone", "max.": "maximum", "vs.": "contre",
    "av. j.-c.": "avant Jésus-Christ", "apr. j.-c.": "après Jésus-Christ", "av.": "avenue",
    "bd": "boulevard", "bd.": "boulevard", "boul.": "boulevard", "vs": "contre", "nb.": "nombre",
})  # fmt: skip
ABBREVIATIONS = _MID_SENTENCE | _ROMANS | {
    "etc.": "et cetera", "svp": "s'il vous plaît", "stp": "s'il te plaît", "s.v.p.":
    "s'il vous plaît", "rdv": "rendez-vous", "qqch": "quelque chose", "qqn": "quelqu'un",
    "qqch.": "quelque chose", "qqn.": "quelqu'un", "ex.": "exemple", "apt.": "appartement",
    "dép.": "département", "hab.": "habitants", "éd.": "édition", "min.": "minimum",
    "sté": "société", "bcp": "beaucoup", "tjs": "toujours",
}  # fmt: skip
TITLES = frozenset(_MID_SENTENCE)
"""Abbreviations behind which a sentence goes on."""
CAPITALIZED_ONLY = frozenset("m. mm. st ste pr dr drs pr. mgr".split())

# Only before a number.
BEFORE_NUMBER = {
    "n°": "numéro", "no": "numéro", "nº": "numéro", "n°s": "numéros", "no.": "numéro",
    "§§": "paragraphes", "№": "numéro", "p.": "page", "pp.": "pages", "pag.": "page",
    "chap.": "chapitre",
    "art.": "article", "fig.": "figure", "vol.": "volume", "t.": "tome", "tab.": "tableau",
    "éd.": "édition", "env.": "environ", "ca.": "environ", "tél.": "téléphone", "al.": "alinéa",
    "sect.": "section", "th.": "thermostat", "op.": "opus", "ann.": "annexe", "ex.": "exemple",
}  # fmt: skip

SIGNS = {
    "/": "sur",
    "+": "plus", "=": "égale", "×": "fois", "÷": "divisé par", "±": "plus ou moins",
    "≤": "inférieur ou égal à", "≥": "supérieur ou égal à", "≠": "différent de",
    "≈": "environ", "√": "racine carrée de", "∞": "infini", "∑": "somme", "<": "inférieur à",
    ">": "supérieur à", "%": "pour cent", "‰": "pour mille", "&": "et", "@": "arobase",
    "#": "numéro", "§": "paragraphe", "©": "copyright", "®": "marque déposée", "™": "marque",
    "°": "degrés", "~": "environ", "^": "puissance", "*": "fois", "−": "moins", "π": "pi",
    "²": "au carré", "³": "au cube", "µ": "micro", "Ω": "ohm", "¶": "paragraphe", "∆": "delta",
    "Δ": "delta", "¹": "puissance un", "⁄": "sur", "№": "numéro", "℃": "degrés Celsius",
    "℉": "degrés Fahrenheit", "∈": "appartient à", "∀": "pour tout", "∃": "il existe",
    "∫": "intégrale de", "≡": "identique à", "and": "et", "by": "sur",
}  # fmt: skip
ADDRESS_SIGNS = {
    ".": "point", "@": "arobase", "/": "slash", "-": "tiret", "_": "tiret bas",
    ":": "deux-points", "?": "point d'interrogation", "=": "égale", "&": "et", "#": "dièse",
    "~": "tilde", "%": "pour cent", "+": "plus", "*": "étoile", ",": "virgule",
    ";": "point-virgule", "!": "point d'exclamation",
}  # fmt: skip
DIRECTIONS = {
    "N": "nord", "E": "est", "S": "sud", "W": "ouest", "O": "ouest", "NE": "nord-est",
    "SE": "sud-est", "SO": "sud-ouest", "NO": "nord-ouest",
}  # fmt: skip
HASH_NAMES = {"number": "numéro", "sharp": "dièse", "tag": "hashtag", "sign": "dièse"}

WEEKDAYS = {
    "lun": "lundi", "mar": "mardi", "mer": "mercredi", "jeu": "jeudi", "ven": "vendredi",
    "sam": "samedi", "dim": "dimanche",
}  # fmt: skip

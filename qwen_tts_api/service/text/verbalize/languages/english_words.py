"""English words for months, currencies, signs and abbreviations."""

from __future__ import annotations

from qwen_tts_api.service.text.verbalize.languages.terms import Currency, Noun

MONTHS = (
    "January February March April May June July August September October November December"
).split()
MONTH_NAMES = {
    **{name.lower(): number for number, name in enumerate(MONTHS, 1)},
    **{name[:3].lower(): number for number, name in enumerate(MONTHS, 1)},
    "sept": 9,
}

_CENT = Noun("cent", "cents")
_DOLLAR = Currency(Noun("dollar", "dollars"), _CENT)
_POUND = Currency(Noun("pound", "pounds"), Noun("penny", "pence"))
_EURO = Currency(Noun("euro", "euros"), _CENT)
_YEN = Currency(Noun("yen", "yen"), None)


def _dollars(prefix: str) -> Currency:
    return Currency(Noun(f"{prefix} dollar", f"{prefix} dollars"), _CENT)


def _plain(one: str, many: str, cent: Noun | None = None) -> Currency:
    return Currency(Noun(one, many), cent)


CURRENCIES = {
    "$": _DOLLAR,
    "€": _EURO,
    "£": _POUND,
    "¥": _YEN,
    "￥": _YEN,
    "¢": _plain("cent", "cents"),
    "₹": _plain("rupee", "rupees", Noun("paisa", "paise")),
    "₽": _plain("ruble", "rubles", Noun("kopeck", "kopecks")),
    "₩": _plain("won", "won"),
    "₺": _plain("lira", "lira"),
    "₴": _plain("hryvnia", "hryvnias"),
    "₿": _plain("bitcoin", "bitcoins"),
    "₫": _plain("dong", "dong"),
    "₪": _plain("shekel", "shekels"),
    "₱": _plain("peso", "pesos"),
    "₦": _plain("naira", "naira"),
    "US$": _dollars("U S"),
    "A$": _dollars("Australian"),
    "AU$": _dollars("Australian"),
    "S$": _dollars("Singapore"),
    "Rs.": _plain("rupee", "rupees"),
    "Rs": _plain("rupee", "rupees"),
    "Kč": _plain("koruna", "korunas"),
    "zł": _plain("zloty", "zlotys"),
    "C$": _dollars("Canadian"),
    "NZ$": _dollars("New Zealand"),
    "HK$": _dollars("Hong Kong"),
    "R$": _plain("real", "reals", Noun("centavo", "centavos")),
    "USD": _dollars("U S"),
    "EUR": _EURO,
    "GBP": Currency(Noun("British pound", "British pounds"), _POUND.cent),
    "JPY": _YEN,
    "CNY": _plain("yuan", "yuan"),
    "RMB": _plain("yuan", "yuan"),
    "CHF": _plain("Swiss franc", "Swiss francs"),
    "CAD": _dollars("Canadian"),
    "AUD": _dollars("Australian"),
    "INR": _plain("Indian rupee", "Indian rupees"),
    "KRW": _plain("won", "won"),
    "BTC": _plain("bitcoin", "bitcoins"),
    "SEK": _plain("Swedish krona", "Swedish kronor"),
    "NOK": _plain("Norwegian krone", "Norwegian kroner"),
    "DKK": _plain("Danish krone", "Danish kroner"),
    "PLN": _plain("zloty", "zlotys"),
    "MXN": _plain("Mexican peso", "Mexican pesos"),
    "BRL": _plain("Brazilian real", "Brazilian reals"),
    "RUB": _plain("ruble", "rubles"),
    "TRY": _plain("lira", "lira"),
}

SCALES = {
    **dict.fromkeys(("k", "K", "thousand"), "thousand"),
    **dict.fromkeys(("m", "M", "mn", "mio", "million"), "million"),
    **dict.fromkeys(("b", "B", "bn", "Bn", "billion"), "billion"),
    **dict.fromkeys(("t", "T", "tn", "trillion"), "trillion"),
    **dict.fromkeys(("mm", "MM"), "million"),
    **dict.fromkeys(("lakh", "lakhs"), "lakh"),
    **dict.fromkeys(("crore", "crores"), "crore"),
}

# Behind `5m` they are no meters.
MILLIONS = (
    r" (?:of (?:them|these|those|us)\b|(?:[a-z]{3,}+(?<!ide|all|ong|eep|ick|igh|rom|way) ){0,2}"
    r"(?:people|men|women|children|kids|adults|users|viewers?|views|followers|subscribers|downloads"
    r"|customers|jobs|homes|households|visits|visitors|passengers|copies|streams|likes|members|workers"
    r"|voters|votes|residents|inhabitants|tourists|students|pupils|patients|refugees|migrants|readers"
    r"|listeners|players|fans|cars|vehicles|units|shares|barrels|tons|tonnes|doses|deaths|cases"
    r"|accounts|records|tokens|parameters|euros|pounds|dollars|[A-Z][a-z]+(?:ans|ons|ese)|Germans)\b)"
)

# What ends a sentence keeps its full stop; titles never do.
ABBREVIATIONS = {
    "dr.": "Doctor", "mr.": "Mister", "mrs.": "Missus", "ms.": "Miz", "prof.": "Professor",
    "rev.": "Reverend", "hon.": "Honorable", "gen.": "General", "col.": "Colonel",
    "capt.": "Captain", "lt.": "Lieutenant", "sgt.": "Sergeant", "gov.": "Governor",
    "sen.": "Senator", "rep.": "Representative", "pres.": "President", "mt.": "Mount",
    "mx.": "Mix", "st.": "Saint", "ft.": "Fort", "e.g.": "for example", "eg.": "for example",
    "i.e.": "that is", "etc.": "et cetera", "vs.": "versus", "cf.": "compare", "al.": "others",
    "approx.": "approximately", "appx.": "approximately", "est.": "estimated",
    "inc.": "Incorporated", "ltd.": "Limited", "co.": "Company", "corp.": "Corporation",
    "dept.": "department", "ave.": "Avenue", "blvd.": "Boulevard", "rd.": "Road", "hwy.": "Highway",
    "apt.": "apartment", "bldg.": "building", "jr.": "Junior", "sr.": "Senior", "esq.": "Esquire",
    "misc.": "miscellaneous", "incl.": "including", "excl.": "excluding", "max.": "maximum",
    "temp.": "temperature", "tel.": "telephone", "ext.": "extension", "dist.": "district",
    "univ.": "University", "assn.": "Association", "govt.": "government", "intl.": "international",
    "mfg.": "manufacturing", "a.k.a.": "also known as", "aka": "also known as",
    "etc": "et cetera", "approx": "approximately", "dept": "department", "govt": "government",
    "avg.": "average", "avg": "average", "qty.": "quantity", "qty": "quantity", "amt.": "amount",
    "attn.": "attention", "orig.": "original", "feat.": "featuring", "appt.": "appointment",
    "tbsp.": "tablespoon", "tsp.": "teaspoon", "et al.": "and others", "sat.": "Saturday",
    "n/a": "not applicable", "c/o": "care of", "v.": "versus", "sq. ft.": "square feet",
    "ave": "Avenue", "rd": "Road", "hwy": "Highway", "st": "Saint", "ln.": "Lane",
    "pkwy": "Parkway", "wwi": "World War one", "wwii": "World War two", "ww1": "World War one",
    "ww2": "World War two", "w/": "with", "w/o": "without",
    "b/c": "because", "p.s.": "P S", "viz.": "namely", "ibid.": "ibidem", "ca.": "circa",
    "mon.": "Monday", "tue.": "Tuesday", "tues.": "Tuesday", "wed.": "Wednesday",
    "thu.": "Thursday", "thur.": "Thursday", "thurs.": "Thursday", "fri.": "Friday",
    "ph.d.": "P H D", "m.d.": "M D", "b.a.": "B A", "m.a.": "M A", "b.sc.": "B S C",
    "m.sc.": "M S C", "vs": "versus", "mr": "Mister", "mrs": "Missus", "ms": "Miz",
    "dr": "Doctor", "blvd": "Boulevard",
}  # fmt: skip
TITLES = frozenset(
    "dr. mr. mrs. ms. mx. prof. rev. hon. gen. col. capt. lt. sgt. gov. sen. rep. pres. mt. st. ft."
    " vs. e.g. eg. i.e. cf. approx. appx. ca. viz. a.k.a. w/ w/o b/c v. feat.".split()
)
"""Abbreviations behind which a sentence goes on."""
CAPITALIZED_ONLY = frozenset(
    "mr mrs ms dr blvd ms. st. ft. mt. col. gen. rep. co. hon. sen. mon. wed. fri. sr. sat. ave rd"
    " hwy st ln. pkwy".split()
)

# Only before a number.
BEFORE_NUMBER = {
    "no.": "number", "nos.": "numbers", "nr.": "number", "p.": "page", "pp.": "pages",
    "no": "number", "pg.": "page", "vol.": "volume", "vols.": "volumes", "ch.": "chapter",
    "chap.": "chapter",
    "fig.": "figure", "figs.": "figures", "sec.": "section", "sect.": "section", "art.": "article",
    "eq.": "equation", "tab.": "table", "c.": "circa", "ca.": "circa", "pt.": "part",
    "rm.": "room", "ste.": "suite", "ver.": "version", "min.": "minimum", "ed.": "edition",
    "app.": "appendix", "op.": "opus", "№": "number", "ext.": "extension", "par.": "paragraph",
    "para.": "paragraph", "paras.": "paragraphs",
    "eqs.": "equations", "§§": "sections", "est.": "established",
    "abt.": "about", "avg.": "average", "qty.": "quantity", "max.": "maximum",
}  # fmt: skip

SIGNS = {
    "/": "out of", "+": "plus", "=": "equals", "×": "times", "÷": "divided by",
    "±": "plus or minus", "≤": "less than or equal to", "≥": "greater than or equal to",
    "≠": "not equal to", "≈": "approximately", "√": "square root of", "∞": "infinity", "∑": "sum",
    "<": "less than", ">": "greater than", "%": "percent", "‰": "per mille", "&": "and", "@": "at",
    "#": "number", "§": "section", "©": "copyright", "®": "registered", "™": "trademark",
    "°": "degrees",
    "~": "about", "^": "to the power of", "*": "times", "−": "minus", "π": "pi", "²": "squared",
    "³": "cubed", "µ": "micro", "Ω": "ohm", "¶": "paragraph", "∆": "delta", "Δ": "delta",
    "¹": "to the power of one", "⁄": "over", "№": "number", "℃": "degrees Celsius",
    "℉": "degrees Fahrenheit", "∈": "in", "∀": "for all", "∃": "there exists", "∂": "partial",
    "∫": "integral of", "∏": "product", "∝": "proportional to", "≡": "is identical to",
}  # fmt: skip
ADDRESS_SIGNS = {
    ".": "dot", "@": "at", "/": "slash", "-": "dash", "_": "underscore", ":": "colon",
    "?": "question mark", "=": "equals", "&": "and", "#": "hash", "~": "tilde", "%": "percent",
    "+": "plus", "*": "star", ",": "comma", ";": "semicolon", "!": "exclamation mark",
}  # fmt: skip
SIGNS |= {"and": "and", "by": "by"}
DIRECTIONS = {
    "N": "north", "E": "east", "S": "south", "W": "west", "NE": "northeast", "SE": "southeast",
    "SW": "southwest", "NW": "northwest",
}  # fmt: skip
HASH_NAMES = {"number": "number", "sharp": "sharp", "tag": "hashtag", "sign": "hash"}

ROADS = {"st.": "Street", "st": "Street", "dr.": "Drive", "ft.": "feet"}
BETWEEN_NAMES = frozenset(("v.",))
WEEKDAYS = {
    "mon": "Monday", "tue": "Tuesday", "tues": "Tuesday", "wed": "Wednesday", "thu": "Thursday",
    "thur": "Thursday", "thurs": "Thursday", "fri": "Friday", "sat": "Saturday", "sun": "Sunday",
}  # fmt: skip
BEGINNINGS = frozenset(
    "The A An In It He She This That We They But And I If On At For There You As So When".split()
)

"""Spanish words for months, units, currencies, signs and abbreviations."""

from __future__ import annotations

from qwen_tts_api.service.text.verbalize.languages.terms import Currency, Noun

MONTHS = (
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"
).split()
MONTH_NAMES = {
    **{name: number for number, name in enumerate(MONTHS, 1)},
    **{name[:3]: number for number, name in enumerate(MONTHS, 1)},
    "setiembre": 9,
    "sept": 9,
}
_NAMED = {
    "m": "metro", "km": "kilómetro", "cm": "centímetro", "mm": "milímetro", "dm": "decímetro",
    "µm": "micrómetro", "μm": "micrómetro", "nm": "nanómetro", "g": "gramo", "mg": "miligramo",
    "µg": "microgramo", "kg": "kilogramo", "Kg": "kilogramo", "KG": "kilogramo", "t": "tonelada",
    "l": "litro", "L": "litro", "ml": "mililitro", "mL": "mililitro", "cl": "centilitro",
    "dl": "decilitro", "h": "hora", "hs": "hora", "min": "minuto", "s": "segundo", "seg": "segundo",
    "ms": "milisegundo", "ha": "hectárea", "W": "vatio", "kW": "kilovatio", "MW": "megavatio",
    "GW": "gigavatio", "Wh": "vatio hora", "kWh": "kilovatio hora", "V": "voltio",
    "kV": "kilovoltio", "A": "amperio", "mA": "miliamperio", "J": "julio", "kJ": "kilojulio",
    "N": "newton", "cal": "caloría", "kcal": "kilocaloría", "B": "byte", "kB": "kilobyte",
    "KB": "kilobyte", "MB": "megabyte", "GB": "gigabyte", "TB": "terabyte", "kb": "kilobit",
    "Mb": "megabit", "Gb": "gigabit", "px": "píxel", "lb": "libra", "lbs": "libra", "oz": "onza",
    "ft": "pie", "in": "pulgada", "mi": "milla", "Pa": "pascal", "hPa": "hectopascal",
    "dB": "decibelio", "K": "kelvin", "bar": "bar", "°": "grado",
}  # fmt: skip


def _plural(name: str) -> str:
    first, *rest = name.split(" ", 1)
    plural = {"píxel": "píxeles", "bar": "bares", "pascal": "pascales"}.get(first)
    ends = "es" if first.endswith("l") else "s"
    return " ".join([plural or first + ends, *rest])


def _per(symbol: str, per: str) -> Noun:
    return Noun(f"{_NAMED[symbol]} {per}", f"{_plural(_NAMED[symbol])} {per}")


UNITS = {symbol: Noun(name, _plural(name)) for symbol, name in _NAMED.items()}
UNITS |= {"x": Noun("vez", "veces")}
UNITS |= {each: Noun("hercio", "hercios") for each in ("Hz",)}
UNITS |= {f"{key}Hz": Noun(f"{name}hercio", f"{name}hercios")
          for key, name in (("k", "kilo"), ("M", "mega"), ("G", "giga"))}  # fmt: skip
UNITS |= {key: Noun("grado Celsius", "grados Celsius") for key in ("°C", "℃")}
UNITS |= {key: Noun("grado Fahrenheit", "grados Fahrenheit") for key in ("°F", "℉")}
UNITS |= {"mmHg": Noun("milímetro de mercurio", "milímetros de mercurio")}
UNITS |= {"kmh": _per("km", "por hora"), "mph": _per("mi", "por hora")}
UNITS |= {"Kbps": _per("kb", "por segundo"), "Mbps": _per("Mb", "por segundo")}
UNITS |= {"Gbps": _per("Gb", "por segundo")}
for _symbol in ("m", "km", "cm", "mm"):
    for _powers, _word in (("2²", "cuadrado"), ("3³", "cúbico")):
        for _power in _powers:
            _name = _NAMED[_symbol]
            UNITS[_symbol + _power] = Noun(f"{_name} {_word}", f"{_name}s {_word}s")

_CENT = Noun("céntimo", "céntimos")
_CENTAVO = Noun("centavo", "centavos")
_POUND = Currency(Noun("libra", "libras"), Noun("penique", "peniques"))
_DOLLAR = Currency(Noun("dólar", "dólares"), _CENTAVO)
_EURO = Currency(Noun("euro", "euros"), _CENT)
_YEN = Currency(Noun("yen", "yenes"), None)
CURRENCIES = {
    "$": _DOLLAR, "€": _EURO, "£": _POUND, "¥": _YEN, "￥": _YEN, "EUR": _EURO, "JPY": _YEN,
    "GBP": _POUND, "¢": Currency(_CENTAVO, None),
    "US$": Currency(Noun("dólar estadounidense", "dólares estadounidenses"), _CENTAVO),
    "USD": Currency(Noun("dólar estadounidense", "dólares estadounidenses"), _CENTAVO),
    "MXN": Currency(Noun("peso mexicano", "pesos mexicanos"), _CENTAVO),
    "ARS": Currency(Noun("peso argentino", "pesos argentinos"), _CENTAVO),
    "COP": Currency(Noun("peso colombiano", "pesos colombianos"), _CENTAVO),
    "CLP": Currency(Noun("peso chileno", "pesos chilenos"), None),
    "R$": Currency(Noun("real", "reales"), _CENTAVO),
    "S/": Currency(Noun("sol", "soles"), _CENT),
    "CHF": Currency(Noun("franco suizo", "francos suizos"), _CENT),
    "CNY": Currency(Noun("yuan", "yuanes"), None),
    "₩": Currency(Noun("won", "wones"), None), "₹": Currency(Noun("rupia", "rupias"), None),
    "₽": Currency(Noun("rublo", "rublos"), None), "₿": Currency(Noun("bitcoin", "bitcoins"), None),
}  # fmt: skip
SCALES = {
    **dict.fromkeys(("mil", "k", "K"), "mil"),
    **dict.fromkeys(("mil millones", "MM"), "mil millones"),
    **dict.fromkeys(("M", "millón", "millones", "mill."), "millones"),
    **dict.fromkeys(("billón", "billones"), "billones"),
}
ABBREVIATIONS = {
    "sr.": "señor", "sra.": "señora", "srta.": "señorita", "sres.": "señores", "dr.": "doctor",
    "dra.": "doctora", "d.": "don", "d.ª": "doña", "dña.": "doña", "ing.": "ingeniero",
    "lic.": "licenciado", "prof.": "profesor", "profa.": "profesora", "gral.": "general",
    "sto.": "santo", "sta.": "santa", "ud.": "usted", "uds.": "ustedes", "vd.": "usted",
    "vds.": "ustedes", "p. ej.": "por ejemplo", "p.ej.": "por ejemplo", "etc.": "etcétera",
    "aprox.": "aproximadamente", "av.": "avenida", "avda.": "avenida", "c/": "calle",
    "pza.": "plaza", "dpto.": "departamento", "tel.": "teléfono", "tfno.": "teléfono",
    "vs.": "contra", "a. c.": "antes de Cristo", "a.c.": "antes de Cristo",
    "d. c.": "después de Cristo", "d.c.": "después de Cristo", "ee. uu.": "Estados Unidos",
    "ee.uu.": "Estados Unidos", "a. de c.": "antes de Cristo",
    "d. de c.": "después de Cristo", "ff. aa.": "Fuerzas Armadas", "jj. oo.": "Juegos Olímpicos",
    "rr. hh.": "recursos humanos", "cc. oo.": "Comisiones Obreras", "dd. hh.": "derechos humanos",
    "máx.": "máximo", "mín.": "mínimo", "i. e.": "es decir",
    "s. a.": "sociedad anónima", "s.a.": "sociedad anónima", "depto.": "departamento",
    "cda.": "cucharada", "cdas.": "cucharadas", "cdta.": "cucharadita",
    "cdtas.": "cucharaditas", "izq.": "izquierda", "dcha.": "derecha",
}  # fmt: skip
TITLES = frozenset(
    "sr. sra. srta. sres. dr. dra. d. d.ª dña. ing. lic. prof. profa. gral. sto. sta. ud. uds. vd."
    " vds. aprox. av. avda. c/ pza. vs. máx. mín. tel. tfno.".split()
) | {"p. ej.", "p.ej.", "i. e."}
CAPITALIZED_ONLY = frozenset(("d.", "av."))
BEFORE_NUMBER = {
    "n.º": "número", "nº": "número", "n°": "número", "núm.": "número", "no.": "número",
    "§§": "secciones", "nro.": "número", "№": "número", "pág.": "página", "págs.": "páginas",
    "p.": "página",
    "pp.": "páginas", "cap.": "capítulo", "vol.": "volumen", "art.": "artículo", "fig.": "figura",
    "km.": "kilómetro", "tel.": "teléfono",
}  # fmt: skip
SIGNS = {
    "/": "de",
    "+": "más", "=": "igual a", "×": "por", "÷": "entre", "±": "más menos",
    "≤": "menor o igual que", "≥": "mayor o igual que", "≠": "distinto de", "≈": "aproximadamente",
    "√": "raíz cuadrada de", "∞": "infinito", "<": "menor que", ">": "mayor que",
    "%": "por ciento", "‰": "por mil", "&": "y", "@": "arroba", "#": "número", "§": "sección",
    "°": "grados", "~": "aproximadamente", "^": "elevado a", "*": "por", "−": "menos", "π": "pi",
    "²": "al cuadrado", "³": "al cubo", "©": "copyright", "®": "marca registrada", "№": "número",
    "⁄": "sobre", "™": "marca", "∑": "suma de", "¶": "párrafo",
    "℃": "grados Celsius", "℉": "grados Fahrenheit", "and": "y", "by": "por",
}  # fmt: skip
ADDRESS_SIGNS = {
    ".": "punto", "@": "arroba", "/": "barra", "-": "guion", "_": "guion bajo", ":": "dos puntos",
    "?": "interrogación", "=": "igual", "&": "y", "#": "almohadilla", "~": "virgulilla",
    "%": "por ciento", "+": "más", "*": "asterisco", ",": "coma", ";": "punto y coma",
}  # fmt: skip
BEFORE_ROMAN = {"s.": "siglo", "ss.": "siglos"}
DIRECTIONS = {
    "N": "norte", "E": "este", "S": "sur", "W": "oeste", "O": "oeste", "NE": "noreste",
    "SE": "sureste", "SO": "suroeste", "NO": "noroeste",
}  # fmt: skip
HASH_NAMES = {"number": "número", "sharp": "sostenido", "tag": "etiqueta", "sign": "almohadilla"}

FEMININE = frozenset(
    "vez libra onza milla pulgada tonelada hora caloría kilocaloría hectárea rupia".split()
)

WEEKDAYS = {
    "lun": "lunes", "mar": "martes", "mié": "miércoles", "jue": "jueves", "vie": "viernes",
    "sáb": "sábado", "dom": "domingo",
}  # fmt: skip

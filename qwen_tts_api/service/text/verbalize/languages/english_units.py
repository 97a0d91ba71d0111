"""English units by symbol."""

from __future__ import annotations

from qwen_tts_api.service.text.verbalize.languages.terms import Noun

_PREFIXES = {"k": "kilo", "M": "mega", "G": "giga", "T": "tera", "m": "milli", "µ": "micro"}
_PREFIXES |= {"μ": "micro", "n": "nano"}


def _prefixed(symbol: str, name: str, prefixes: str, plural: str = "") -> dict[str, Noun]:
    """Return units such as kHz, MHz and GHz."""
    return {
        f"{each}{symbol}": Noun(_PREFIXES[each] + name, _PREFIXES[each] + (plural or f"{name}s"))
        for each in prefixes
    }


def _units() -> dict[str, Noun]:
    named = {
        "m": "meter", "cm": "centimeter", "km": "kilometer", "mm": "millimeter", "dm": "decimeter",
        "mi": "mile", "yd": "yard", "yds": "yard", "g": "gram", "mg": "milligram", "t": "ton",
        "kg": "kilogram", "lb": "pound", "lbs": "pound", "oz": "ounce", "l": "liter", "L": "liter",
        "ml": "milliliter", "mL": "milliliter", "cl": "centiliter", "dl": "deciliter",
        "gal": "gallon", "sec": "second", "min": "minute", "mins": "minute", "hr": "hour",
        "hrs": "hour", "h": "hour", "s": "second", "secs": "second", "yr": "year", "yrs": "year",
        "ha": "hectare", "W": "watt", "V": "volt", "J": "joule", "N": "newton", "Pa": "pascal",
        "cal": "calorie", "kcal": "kilocalorie", "px": "pixel", "pt": "point", "bit": "bit",
        "dB": "decibel", "bar": "bar", "wk": "week", "wks": "week", "mo": "month", "mos": "month",
        "ac": "acre", "K": "kelvin", "°": "degree", "pc": "piece", "pcs": "piece", "x": "time",
        "X": "time", "tsp": "teaspoon", "tbsp": "tablespoon", "mcg": "microgram", "dL": "deciliter",
        "atm": "atmosphere", "sqm": "square meter", "pts": "point",
        "Ω": "ohm", "ly": "light-year", "kt": "knot", "mol": "mole",
    }  # fmt: skip
    units = {symbol: Noun(name, f"{name}s") for symbol, name in named.items()}
    units |= _prefixed("m", "meter", "µμn") | _prefixed("s", "second", "mµμn")
    units |= _prefixed("B", "byte", "kMGT") | _prefixed("b", "bit", "kMG")
    units |= _prefixed("W", "watt", "kMGm") | _prefixed("Wh", "watt hour", "kMGT")
    units |= _prefixed("V", "volt", "km") | _prefixed("A", "amp", "km")
    units |= _prefixed("Hz", "hertz", "kMGT", "hertz") | _prefixed("Pa", "pascal", "kM")
    units |= _prefixed("J", "joule", "kM") | _prefixed("N", "newton", "k")
    units |= {"mmHg": Noun(*_MMHG), "BPM": Noun(*_BPM)}
    units |= {"KB": units["kB"], "Kb": units["kb"], "Hz": Noun("hertz", "hertz")}
    units |= _prefixed("g", "gram", "µμ") | _prefixed("Ω", "ohm", "kM")
    units |= _prefixed("bit", "bit", "kMG")
    units |= {f"{each}iB": units[f"{each}B"] for each in "KMGT"}
    units |= {"mpg": Noun("mile per gallon", "miles per gallon")}
    units |= {
        "fl oz": Noun("fluid ounce", "fluid ounces"),
        "fl. oz.": Noun("fluid ounce", "fluid ounces"),
    }
    units |= {"mAh": Noun("milliamp hour", "milliamp hours")}
    units |= {"Wh": Noun("watt hour", "watt hours"), "psi": Noun("P S I", "P S I")}
    units |= {"ft": Noun("foot", "feet"), "in": Noun("inch", "inches"), "bps": Noun(*_BPS)}
    units |= {
        f"{each}bps": Noun(_PREFIXES[each] + _BPS[0], _PREFIXES[each] + _BPS[1]) for each in "kMG"
    }
    units |= {"Kbps": units["kbps"], "°C": _degrees("Celsius"), "°F": _degrees("Fahrenheit")}
    units |= {"℃": _degrees("Celsius"), "℉": _degrees("Fahrenheit")}
    units |= {"° C": units["°C"], "° F": units["°F"], "degrees C": units["°C"]}
    units |= {"degrees F": units["°F"]}
    for symbol, name in (("mph", "mile"), ("kph", "kilometer"), ("kmh", "kilometer")):
        units[symbol] = Noun(f"{name} per hour", f"{name}s per hour")
    units |= {"rpm": Noun("revolution per minute", "revolutions per minute")}
    units |= {"fps": Noun("frame per second", "frames per second"), "ppm": Noun(_PPM, _PPM)}
    units |= {"dpi": Noun("dot per inch", "dots per inch"), "bpm": Noun(*_BPM)}
    for symbol in ("m", "km", "cm", "mm", "ft", "mi", "in"):
        one, many, _ = units[symbol]
        for power, word in (("2", "square"), ("²", "square"), ("3", "cubic"), ("³", "cubic")):
            units[symbol + power] = Noun(f"{word} {one}", f"{word} {many}")
        units |= {f"sq{stop} {symbol}": units[f"{symbol}²"] for stop in ("", ".")}
    return units


def _degrees(scale: str) -> Noun:
    return Noun(f"degree {scale}", f"degrees {scale}")


_BPS = ("bit per second", "bits per second")
_BPM = ("beat per minute", "beats per minute")
_MMHG = ("millimeter of mercury", "millimeters of mercury")
_PPM = "parts per million"
UNITS = _units()

"""Chinese, as it is spoken in Mainland China: no spaces, and two is 两 before a measure."""

from __future__ import annotations

from qwen_tts_api.service.text.patterns import compile_pattern
from qwen_tts_api.service.text.verbalize.languages import chinese_words as words
from qwen_tts_api.service.text.verbalize.languages.language import Language
from qwen_tts_api.service.text.verbalize.languages.terms import Context, Currency, Noun, Number

_DIGITS = "零一二三四五六七八九"
_SIZES = ((10**8, "亿"), (10**4, "万"), (1000, "千"), (100, "百"), (10, "十"))
_PARTS = ("百分之", "千分之")
_TEMPERATURES = ("摄氏度", "华氏度")


# Of a model, a road or a bus the digits are said: `RTX 4090`, `波音747`, `G107国道`.
_NOTHING = compile_pattern(r"\s*(?:$|[，。、；）)])|(?:赛季|学年|财年)")
_NAMED = compile_pattern(r"(?r)(?:(?<![A-Za-z])[A-Z]{2,5} |波音|空客|型号)")


class Chinese(Language):
    """Numbers have their own groups, of four digits; years are said digit by digit."""

    name = "chinese"
    point, minus, to, per, dot = "点", "负", "到", "每", "点"
    directions, angle_units = words.DIRECTIONS, ("°", "分", "秒")
    percent, version, score = "百分之", "版本", "比"
    space, pause = "", "，"
    digit_words = _DIGITS
    months, month_names = words.MONTHS, words.MONTH_NAMES
    units, currencies, scales = words.UNITS, words.CURRENCIES, words.SCALES
    money_scales = words.MONEY_SCALES
    abbreviations, before_number = words.ABBREVIATIONS, words.BEFORE_NUMBER
    signs, address_signs = words.SIGNS, words.ADDRESS_SIGNS
    hash_names = words.HASH_NAMES
    ordinal_suffixes = "st|nd|rd|th"
    month_first = True
    per_names = r"小时|分钟|平方米|立方米|\p{Han}|[A-Za-z]{1,12}(?![A-Za-z])"
    phone_pattern = (
        r"1[3-9][0-9]{9}|1[3-9][0-9][ -][0-9]{4}[ -][0-9]{4}"
        r"|(?<=(?:拨打|电话|热线|致电|手机|号码|客服|邮编)[：:是为]?\s?)[0-9]{3,12}"
    )

    def cardinal(self, number: int) -> str:
        """Return a whole number in words.

        >>> Chinese().cardinal(100_110), Chinese().cardinal(2005)
        ('十万零一百一十', '两千零五')
        """
        said = _say(number)
        if said.startswith("一十"):
            return said[1:]
        return f"两{said[1:]}" if said[0] == "二" and said[1:2] in tuple("千万亿") else said

    def ordinal(self, number: int) -> str:
        """Return a place in an order: `第三`."""
        return f"第{self.cardinal(number)}"

    def regnal(self, number: int, name: str) -> str:
        """Return the number of a king: `八世`."""
        return f"{self.cardinal(number)}世"

    def power(self, number: str) -> str:
        """Return `的六次方`."""
        return f"的{number}次方"

    def year(self, number: int) -> str:
        """Return a year, digit by digit."""
        return self.digits(str(number))

    def is_year_in(self, context: Context) -> bool:
        """Return whether 年 is behind it."""
        return context.after.lstrip().startswith("年")

    def are_years_in(self, first: str, last: str, context: Context) -> bool:
        """Return whether 年 is behind them, or nothing that they could count: `2019-2020`."""
        if self.is_year_in(context):
            return True
        is_recent = all(each[:2] in ("19", "20") and len(each) == 4 for each in (first, last))
        return is_recent and first < last and _NOTHING.match(context.after) is not None

    def day(self, number: int) -> str:
        """Return a day of a month."""
        return f"{self.cardinal(number)}日"

    def month_year(self, month: int, year: int) -> str:
        """Return `二零二六年十一月`."""
        return f"{self.year(year)}年{self.months[month - 1]}"

    def date(self, day: int, month: int, year: int | None) -> str:
        """Return a date: `二零二六年十一月二十八日`."""
        said = f"{self.months[month - 1]}{self.day(day)}"
        return said if year is None else f"{self.year(year)}年{said}"

    def time(self, hour: int, minute: int, second: int | None = None) -> str:
        """Return a time: `十四点三十分`, `两点零五分`, `七点`."""
        said = f"{'两' if hour == 2 else self.cardinal(hour)}点"
        if minute or second is not None:
            said += f"{'零' if 0 < minute < 10 else ''}{self.cardinal(minute)}分"
        return said if second is None else f"{said}{self.cardinal(second)}秒"

    def half_day(self, hour: int, said: str, half: str) -> str:
        """Return `下午三点`."""
        said = said if "点" in said else self.time(hour, 0)
        if half == "a":
            return ("凌晨" if hour in (12, *range(6)) else "上午") + said
        return ("中午" if hour == 12 else "下午" if hour < 6 else "晚上") + said

    def fraction(self, part: int, whole: int) -> str:
        """Return a fraction: `二分之一`."""
        return f"{self.cardinal(whole)}分之{self.cardinal(part)}"

    def percentage(self, number: Number, sign: str) -> str:
        """Return `百分之五`."""
        minus = self.minus if number.is_negative else ""
        return minus + self.signs[sign] + self.number(number._replace(is_negative=False))

    def span(self, first: str, last: str) -> str:
        """Return a range: `五到十公里`, `百分之五到百分之十`."""
        part = last[:3] if last.startswith(_PARTS) and not first.startswith(_PARTS) else ""
        return f"{part}{first}到{last}"

    def rate(self, amount: str, unit: str) -> str:
        """Return `每小时六十公里`."""
        return f"每{unit}{amount}"

    def phone(self, digits: str) -> str:
        """Return digits of a telephone: one is 幺, which does not sound like seven."""
        return self.digits(digits).replace("一", "幺")

    def series(self, digits: str) -> str:
        """Return the digits: `七四七`."""
        return self.digits(digits)

    def counted(self, number: Number, noun: Noun) -> str:
        """Return a number of something: `两千克`, `零下二十摄氏度`."""
        if number.is_negative and noun.one in _TEMPERATURES:
            return f"零下{self.counted(number._replace(is_negative=False), noun)}"
        return self._count(number) + noun.one

    def scaled(self, number: Number, scale: str, noun: Noun | None) -> str:
        """Return `两万元`; of `1.5B` all digits are counted: `十五亿`."""
        if scale in words.POWERS and len(number.whole) < 5:
            zeros = words.POWERS[scale]
            digits = (number.whole + number.decimals[:zeros].ljust(zeros, "0")).lstrip("0") or "0"
            whole = Number(digits, number.decimals[zeros:], number.is_negative)
            return self.number(whole) + (noun.many if noun else "")
        return self._count(number) + scale + (noun.many if noun else "")

    def money(self, number: Number, currency: Currency) -> str:
        """Return an amount: `三点五元`."""
        return self.counted(number._replace(decimals=number.decimals.rstrip("0")), currency.unit)

    def number_in(self, number: Number, context: Context) -> str:
        """Return a number: `两个`, but `第二个`, `二月`."""
        after = context.after.lstrip()
        is_name = _NAMED.match(context.before) or (
            len(number.whole) == 3 and after.startswith(words.NAMED_BY_DIGITS)
        )
        if is_name and 3 <= len(number.whole) <= 5 and not number.decimals:
            return self.digits(number.whole)
        if after.startswith("后") and len(number.whole) == 2 and not number.decimals:
            return self.digits(number.whole)  # those who were born in the eighties
        if context.before.rstrip().endswith("第") or after.startswith(words.NOT_MEASURED):
            return self.number(number)
        return self._count(number) if after[:1] in words.MEASURES and after else self.number(number)

    def _count(self, number: Number) -> str:
        is_two = number.whole == "2" and not number.decimals
        said = self.number(number)
        return said.replace("二", "两") if is_two else said


def _say(number: int) -> str:
    """Return a number, of which a zero stands for each gap."""
    for size, name in _SIZES:
        if number >= size:
            many, rest = divmod(number, size)
            zero = "零" if 0 < rest < size // 10 else ""
            return f"{_say(many)}{name}{zero}{_say(rest) if rest else ''}"
    return _DIGITS[number]

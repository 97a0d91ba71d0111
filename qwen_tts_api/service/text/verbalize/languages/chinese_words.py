"""Chinese words for units, currencies, signs and measures."""

from __future__ import annotations

from qwen_tts_api.service.text.verbalize.languages.terms import Currency, Noun

MONTHS = [f"{said}月" for said in "一 二 三 四 五 六 七 八 九 十 十一 十二".split()]
MONTH_NAMES = {name: number for number, name in enumerate(MONTHS, 1)}
_UNITS = {
    "m": "米", "km": "公里", "cm": "厘米", "mm": "毫米", "dm": "分米", "µm": "微米", "μm": "微米",
    "nm": "纳米", "g": "克", "kg": "千克", "Kg": "千克", "KG": "千克", "mg": "毫克", "µg": "微克",
    "t": "吨", "l": "升", "L": "升", "ml": "毫升", "mL": "毫升", "h": "小时", "min": "分钟",
    "s": "秒", "ms": "毫秒", "ha": "公顷", "W": "瓦", "kW": "千瓦", "MW": "兆瓦", "Wh": "瓦时",
    "kWh": "千瓦时", "V": "伏", "kV": "千伏", "A": "安", "mA": "毫安", "mAh": "毫安时",
    "J": "焦耳", "kJ": "千焦", "N": "牛", "Pa": "帕", "kPa": "千帕", "hPa": "百帕", "cal": "卡",
    "kcal": "千卡", "Hz": "赫兹", "kHz": "千赫兹", "MHz": "兆赫兹", "GHz": "吉赫兹", "B": "字节",
    "KB": "千字节", "kB": "千字节", "MB": "兆字节", "GB": "吉字节", "TB": "太字节", "px": "像素",
    "dB": "分贝", "lb": "磅", "oz": "盎司", "ft": "英尺", "in": "英寸", "mi": "英里",
    "mph": "英里每小时", "kmh": "公里每小时", "Mbps": "兆比特每秒", "Gbps": "吉比特每秒",
    "°C": "摄氏度", "℃": "摄氏度", "°F": "华氏度", "℉": "华氏度", "°": "度", "K": "开尔文",
    "x": "倍", "mmHg": "毫米汞柱", "分": "分", "秒": "秒", "dL": "分升",
    "dl": "分升", "mol": "摩尔", "fps": "帧每秒",
    "m²": "平方米", "m2": "平方米", "km²": "平方公里", "km2": "平方公里", "cm²": "平方厘米",
    "m³": "立方米", "m3": "立方米", "cm³": "立方厘米", "㎡": "平方米", "㎏": "千克",
}  # fmt: skip
UNITS = {symbol: Noun(name, name) for symbol, name in _UNITS.items()}
_CURRENCIES = {
    "¥": "元", "￥": "元", "元": "元", "CNY": "元", "RMB": "元", "$": "美元", "US$": "美元",
    "USD": "美元", "美元": "美元", "€": "欧元", "EUR": "欧元", "欧元": "欧元", "£": "英镑",
    "GBP": "英镑", "英镑": "英镑", "JPY": "日元", "日元": "日元", "HK$": "港元", "HKD": "港元",
    "港元": "港元", "NT$": "新台币", "₩": "韩元", "KRW": "韩元", "₹": "卢比", "₽": "卢布",
    "₿": "比特币", "CHF": "瑞士法郎", "块": "块", "块钱": "块钱",
}  # fmt: skip
CURRENCIES = {sign: Currency(Noun(name, name), None) for sign, name in _CURRENCIES.items()}
SCALES = {each: each for each in "万亿 百万 千万 十亿 百亿 千亿 十万 万 亿".split()}
SCALES |= {"k": "k", "K": "k"}
MONEY_SCALES = {**dict.fromkeys(("M", "m", "mn", "million"), "M")}
MONEY_SCALES |= dict.fromkeys(("B", "b", "bn", "Bn", "billion"), "B")
MONEY_SCALES |= dict.fromkeys(("T", "tn", "trillion"), "T")
POWERS = {"k": 3, "M": 6, "B": 9, "T": 12}
"""Zeros of scales that Chinese has no word for."""
ABBREVIATIONS = {"vs.": "对", "vs": "对", "etc.": "等等", "e.g.": "例如", "i.e.": "即"}
ABBREVIATIONS |= {"wwii": "二战", "wwi": "一战"}
ABBREVIATIONS |= {"dr.": "博士", "mr.": "先生", "no.": "第"}
BEFORE_NUMBER = {"no.": "第", "№": "第"}
SIGNS = {
    "/": "比",
    "+": "加", "=": "等于", "×": "乘", "÷": "除以", "±": "正负", "≤": "小于等于", "≥": "大于等于",
    "≠": "不等于", "≈": "约等于", "√": "根号", "∞": "无穷大", "<": "小于", ">": "大于",
    "%": "百分之", "‰": "千分之", "&": "和", "@": "艾特", "#": "井号", "§": "节", "°": "度",
    "~": "约", "^": "的", "*": "乘", "−": "减", "π": "派", "²": "的平方", "³": "的立方", "№": "第",
    "⁄": "比", "™": "商标", "©": "版权", "®": "注册商标", "∑": "求和",
    "℃": "摄氏度", "℉": "华氏度", "and": "又", "by": "乘",
}  # fmt: skip
ADDRESS_SIGNS = {
    ".": "点", "@": "艾特", "/": "斜杠", "-": "杠", "_": "下划线", ":": "冒号", "?": "问号",
    "=": "等于", "&": "和", "#": "井号", "~": "波浪号", "%": "百分号", "+": "加", "*": "星号",
}  # fmt: skip
DIRECTIONS = {
    "N": "北", "E": "东", "S": "南", "W": "西", "NE": "东北", "SE": "东南", "SW": "西南",
    "NW": "西北",
}  # fmt: skip
HASH_NAMES = {"number": "第", "sharp": "升", "tag": "话题", "sign": "井号"}

MEASURES = (
    "个只条张本位件种次天年周份块元斤公千万亿米小分秒名辆台口家套双对杯瓶碗座层间部场首支枝棵朵头匹把颗"
    "粒项倍岁人点里吨升克厘毫平立页篇段句步遍趟回组批股门所样袋盒包片根滴群排星美欧英日港磅寸尺亩架艘"
    "节课道顿幅封顶扇盏副束堆笔"
)
"""What words begin with before which two is 两."""
NAMED_BY_DIGITS = (
    "室",
    "号房",
    "路公交",
    "高校",
    "大学",
    "工程",
    "国道",
    "次列车",
    "次航班",
    "晚会",
    "客机",
)
"""Behind three digits that are a name: `301室`."""
NOT_MEASURED = ("日", "年级", "小学", "门", "分之", "星级", "层楼")

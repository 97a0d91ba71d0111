"""Numbers, dates, units, abbreviations and signs in Chinese words."""

from __future__ import annotations

from qwen_tts_api.service.text.verbalize.languages import LANGUAGES
from qwen_tts_api.service.text.verbalize.say_as import say_as
from qwen_tts_api.service.text.verbalize.verbalizer import make_verbalizer
from tests.rows import for_each


@for_each(
    ("text", "said"),
    [
        ("0，10，15，110", "零，十，十五，一百一十"),
        ("1,005，10000，100110", "一千零五，一万，十万零一百一十"),
        ("2000，20005，300000000", "两千，两万零五，三亿"),
        ("我有2个苹果和2只猫", "我有两个苹果和两只猫"),
        ("共 5 个", "共五个"),
        ("12个，第2个，2月", "十二个，第二个，二月"),
        ("第3章，第 3 章", "第三章，第三章"),
        ("-5，3.14", "负五，三点一四"),
        ("1234567890123456", "一二三四五六七八九零一二三四五六"),
        ("1984年，1984-1990年", "一九八四年，一九八四到一九九零年"),
        ("1984人", "一千九百八十四人"),
        ("2026年11月28日", "二零二六年十一月二十八日"),
        ("11月28号，2026-11-28", "十一月二十八号，二零二六年十一月二十八日"),
        ("2026/11/28", "二零二六年十一月二十八日"),
        ("14:30，2：05", "十四点三十分，两点零五分"),
        ("下午3:05，3:05 pm", "下午三点零五分，下午三点零五分"),
        ("14:30:15，7:00", "十四点三十分十五秒，七点"),
        ("1/2，3 1/2", "二分之一，三又二分之一"),
        ("5%，5-10%，3.5％", "百分之五，百分之五到百分之十，百分之三点五"),
        ("¥5，3.5元，2元", "五元，三点五元，两元"),
        ("$5，$3.50，€1,200", "五美元，三点五美元，一千二百欧元"),
        ("5万元，2亿，¥5万", "五万元，两亿，五万元"),
        ("5 km，20 °C，2 kg", "五公里，二十摄氏度，两千克"),
        ("60 km/h，5元/月", "每小时六十公里，每月五元"),
        ("-20℃，3 GB", "零下二十摄氏度，三吉字节"),
        ("5-10公里，2~3个", "五到十公里，两到三个"),
        ("13812345678", "幺三八幺二三四五六七八"),
        ("010-12345678，拨打110", "零幺零，幺二三四五六七八，拨打幺幺零"),
        ("3:2，4x4", "三比二，四乘四"),
        ("2+2=4", "二加二等于四"),
        ("版本3.0.1", "版本三点零点一"),
        ("5G和MP3", "五 G和M P 三"),
        ("9点-17点，5-3=2", "九点到十七点，五减三等于二"),
        ("80后，邮编100001", "八零后，邮编幺零零零零幺"),
        ("没有数字。", "没有数字。"),
    ],
)
def test_chinese(text: str, said: str) -> None:
    assert make_verbalizer(LANGUAGES["chinese"]).verbalize(text) == said


def test_what_is_asked_for_is_said() -> None:
    assert say_as("12", "ordinal", "Chinese") == "第十二"
    assert say_as("110", "telephone", "Chinese") == "幺幺零"
    assert say_as("1/2/2026", "date", "Chinese", "dmy") == "二零二六年二月一日"
    assert say_as("11-2026", "date", "Chinese", "my") == "二零二六年十一月"

"""Verbalize: write numbers, dates, units, abbreviations and signs as the words that are spoken.

`say_as.say_as(text, interpret_as, language)` is what SSML's `say-as` asks for.
"""

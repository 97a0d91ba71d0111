"""Books with chapters and verses: names, and abbreviations that stand for them."""

from __future__ import annotations

from typing import NamedTuple


class Books(NamedTuple):
    """The books of a language.

    Attributes:
        names: As they are said.
        abbreviations: Names by abbreviation, without a full stop.
        numbered: Names and abbreviations of which there are several: `1 John`.
        ordinals: How the first, second and so on of them is called.
        comma: Whether a comma, too, stands between chapter and verse.
        chapter, verse: What is said behind their numbers.
    """

    names: frozenset[str]
    abbreviations: dict[str, str]
    numbered: frozenset[str]
    ordinals: tuple[str, ...]
    comma: bool = False
    chapter: str = ""
    verse: str = ""


def _books(
    one: str,
    several: str,
    ordinals: str,
    *,
    comma: bool = False,
    chapter: str = "",
    verse: str = "",
) -> Books:
    """Return the books of two lists of `Name:Abbreviation,Abbreviation`, between which is a bar.

    Where a comma may follow, no abbreviation is a word, too: `Am 3,5 km langen Weg`.
    """
    abbreviations: dict[str, str] = {}
    names: list[set[str]] = []
    for listed in (one, several):
        names.append(set())
        for entry in filter(None, listed.split("|")):
            name, _, short = entry.partition(":")
            abbreviations |= dict.fromkeys(filter(None, short.split(",")), name)
            names[-1] |= {name, *filter(None, short.split(","))}
    said = tuple(ordinals.split())
    every = frozenset(names[0] | names[1]) - abbreviations.keys()
    return Books(every, abbreviations, frozenset(names[1]), said, comma, chapter, verse)


_ENGLISH = _books(
    "Genesis:Gen|Exodus:Ex,Exod|Leviticus:Lev|Numbers:Num|Deuteronomy:Deut|Joshua:Josh|Judges:Judg"
    "|Ruth|Ezra|Nehemiah:Neh|Esther:Esth|Job|Psalm:Ps,Psa|Psalms:Pss|Proverbs:Prov"
    "|Ecclesiastes:Eccl,Eccles|Song of Solomon|Song of Songs|Isaiah:Isa|Jeremiah:Jer"
    "|Lamentations:Lam|Ezekiel:Ezek|Daniel:Dan|Hosea:Hos|Joel|Amos|Obadiah:Obad|Jonah|Micah:Mic"
    "|Nahum:Nah|Habakkuk:Hab|Zephaniah:Zeph|Haggai:Hag|Zechariah:Zech|Malachi:Mal|Matthew:Matt,Mt"
    "|Mark:Mk|Luke:Lk|Acts|Romans:Rom|Galatians:Gal|Ephesians:Eph|Philippians:Phil|Colossians:Col"
    "|Titus|Philemon:Phlm|Hebrews:Heb|James:Jas|Jude|Revelation:Rev|Sirach:Sir|Tobit:Tob|Judith"
    "|Wisdom:Wis|Baruch|Quran|Qur'an|Koran|Surah|Sura",
    "Samuel:Sam|Kings:Kgs|Chronicles:Chr,Chron|Corinthians:Cor|Thessalonians:Thess|Timothy:Tim"
    "|Peter:Pet|John:Jn|Maccabees:Macc|Nephi",
    "First Second Third Fourth",
)
_GERMAN = _books(
    "Genesis:Gen|Exodus|Levitikus:Lev|Numeri:Num|Deuteronomium:Dtn|Josua:Jos|Richter|Rut"
    "|Esra:Esr|Nehemia:Neh|Ester|Hiob|Ijob|Psalm:Ps|Psalmen|Sprüche:Spr|Prediger:Pred"
    "|Kohelet:Koh|Hoheslied:Hld|Jesaja:Jes|Jeremia:Jer|Klagelieder:Klgl|Hesekiel:Hes|Ezechiel:Ez"
    "|Daniel:Dan|Hosea:Hos|Joel|Amos|Obadja:Obd|Jona|Micha|Nahum:Nah|Habakuk:Hab"
    "|Zefanja:Zef|Haggai:Hag|Sacharja:Sach|Maleachi:Mal|Matthäus:Mt,Matth|Markus:Mk|Lukas:Lk"
    "|Apostelgeschichte:Apg|Römer:Röm|Galater:Gal|Epheser:Eph|Philipper:Phil|Kolosser:Kol|Titus:Tit"
    "|Philemon:Phlm|Hebräer:Hebr|Jakobus:Jak|Judas:Jud|Offenbarung:Offb|Sirach:Sir|Koran|Sure",
    "Mose:Mos|Samuel:Sam|Könige:Kön|Chronik:Chr|Korinther:Kor|Thessalonicher:Thess|Timotheus:Tim"
    "|Petrus:Petr|Johannes:Joh|Makkabäer:Makk",
    "erster zweiter dritter vierter fünfter",
    comma=True,
)
_FRENCH = _books(
    "Genèse:Gn,Gen|Exode:Ex|Lévitique:Lv|Nombres:Nb|Deutéronome:Dt|Josué:Jos|Juges:Jg|Ruth:Rt"
    "|Esdras:Esd|Néhémie|Esther|Job:Jb|Psaume:Ps|Psaumes|Proverbes|Ecclésiaste:Ec"
    "|Qohélet:Qo|Cantique des cantiques:Ct|Isaïe|Ésaïe|Jérémie:Jr|Lamentations:Lm"
    "|Ézéchiel:Éz,Ez|Daniel:Dn|Osée|Joël:Jl|Amos|Jonas:Jon|Michée|Nahum|Habacuc"
    "|Sophonie|Aggée|Zacharie|Malachie|Matthieu:Mt|Marc:Mc|Luc:Lc|Actes:Ac|Romains:Rm"
    "|Galates|Éphésiens:Ép|Philippiens|Colossiens:Col|Tite:Tt|Philémon:Phm|Hébreux"
    "|Jacques:Jc|Jude|Apocalypse:Ap|Siracide|Coran|Sourate",
    "Samuel|Rois|Chroniques:Ch|Corinthiens:Co|Thessaloniciens:Th|Timothée:Tm|Pierre|Jean:Jn"
    "|Maccabées",
    "premier deuxième troisième quatrième",
    comma=True,
)
_SPANISH = _books(
    "Génesis:Gn,Gen,Gén|Éxodo:Ex,Éx|Levítico:Lv|Números:Nm|Deuteronomio:Dt|Josué:Jos|Jueces:Jue"
    "|Rut|Esdras:Esd|Nehemías:Neh|Ester:Est|Job|Salmo|Salmos|Proverbios:Prov|Eclesiastés:Ecl"
    "|Cantares|Isaías|Jeremías:Jer|Lamentaciones:Lam|Ezequiel:Ez|Daniel:Dn,Dan|Oseas|Joel"
    "|Amós:Am|Jonás:Jon|Miqueas:Miq|Nahúm:Nah|Habacuc:Hab|Sofonías:Sof|Hageo|Zacarías:Zac"
    "|Malaquías|Mateo:Mt|Marcos:Mc|Lucas:Lc|Hechos:Hch|Romanos:Rom|Gálatas:Gál|Efesios:Ef"
    "|Filipenses:Flp,Fil|Colosenses:Col|Tito|Filemón:Flm|Hebreos:Heb|Santiago:Sant,Stg|Judas"
    "|Apocalipsis:Ap|Corán|Sura",
    "Samuel:Sam|Reyes|Crónicas:Cr|Corintios:Cor,Co|Tesalonicenses:Tes|Timoteo:Tim|Pedro:Pe|Juan:Jn"
    "|Macabeos:Mac",
    "primera segunda tercera cuarta",
    comma=True,
)
_CHINESE = _books(
    "创世记|创世纪|出埃及记|利未记|民数记|申命记|约书亚记|士师记|路得记|撒母耳记上|撒母耳记下|列王纪上"
    "|列王纪下|历代志上|历代志下|以斯拉记|尼希米记|以斯帖记|约伯记|诗篇|箴言|传道书|雅歌|以赛亚书|耶利米书"
    "|耶利米哀歌|以西结书|但以理书|何西阿书|约珥书|阿摩司书|俄巴底亚书|约拿书|弥迦书|那鸿书|哈巴谷书|西番雅书"
    "|哈该书|撒迦利亚书|玛拉基书|马太福音|马可福音|路加福音|约翰福音|使徒行传|罗马书|哥林多前书|哥林多后书"
    "|加拉太书|以弗所书|腓立比书|歌罗西书|帖撒罗尼迦前书|帖撒罗尼迦后书|提摩太前书|提摩太后书|提多书|腓利门书"
    "|希伯来书|雅各书|彼得前书|彼得后书|约翰一书|约翰二书|约翰三书|犹大书|启示录|古兰经",
    "",
    "",
    chapter="章",
    verse="节",
)

BOOKS = {
    "english": _ENGLISH,
    "german": _GERMAN,
    "french": _FRENCH,
    "spanish": _SPANISH,
    "chinese": _CHINESE,
}
"""Books by language."""

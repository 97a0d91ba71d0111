"""Numbers, dates, units, abbreviations and signs in Spanish words."""

from __future__ import annotations

from qwen_tts_api.service.text.verbalize.languages import LANGUAGES
from qwen_tts_api.service.text.verbalize.say_as import say_as
from qwen_tts_api.service.text.verbalize.verbalizer import make_verbalizer
from tests.rows import for_each


@for_each(
    ("text", "said"),
    [
        ("100 a. de C. en EE. UU., JJ. OO. y", "cien antes de Cristo en Estados Unidos, Juegos"
         " Olímpicos y"),
        ("el s. XXI, ss. XVI-XVII", "el siglo veintiuno, siglos dieciséis a diecisiete"),
        ("0, 16, 21", "cero, dieciséis, veintiuno"),
        ("100, 101, 1.000.000", "cien, ciento uno, un millón"),
        ("21 libros, 21 casas", "veintiún libros, veintiuna casas"),
        ("1 libro, 1 mujer, 200 personas", "un libro, una mujer, doscientas personas"),
        ("500 casas, 31 días", "quinientas casas, treinta y un días"),
        ("-5, 2.500", "menos cinco, dos mil quinientos"),
        ("1234567890123456", "uno dos tres cuatro cinco seis siete ocho nueve cero uno dos tres"
         " cuatro cinco seis"),
        ("3,14 y 3.14", "tres coma catorce y tres coma catorce"),
        ("en 1984", "en mil novecientos ochenta y cuatro"),
        ("28/11/2026", "veintiocho de noviembre de dos mil veintiséis"),
        ("28 de noviembre de 2026", "veintiocho de noviembre de dos mil veintiséis"),
        ("2026-11-28", "veintiocho de noviembre de dos mil veintiséis"),
        ("noviembre de 2026", "noviembre de dos mil veintiséis"),
        ("14:30, las 3:05", "catorce treinta, las tres y cinco"),
        ("a las 7:00, 3:05 p. m.", "a las siete en punto, tres y cinco de la tarde."),
        ("1.º, 2ª, 3er piso", "primero, segunda, tercer piso"),
        ("22.ª edición", "vigésima segunda edición"),
        ("1/2, 3/4, 3 1/2", "un medio, tres cuartos, tres y medio"),
        ("50 %, 5-10 %", "cincuenta por ciento, cinco a diez por ciento"),
        ("5 €, $5, $3.50", "cinco euros, cinco dólares, tres dólares con cincuenta centavos"),
        ("1 €, 3,50 €", "un euro, tres euros con cincuenta céntimos"),
        ("1.000.000 €, 21 £", "un millón de euros, veintiuna libras"),
        ("5 km, 20 °C, 60 km/h", "cinco kilómetros, veinte grados Celsius, sesenta kilómetros por"
         " hora"),
        ("3 GB, 2 kg, 1 m²", "tres gigabytes, dos kilogramos, un metro cuadrado"),
        ("El Sr. Pérez y la Dra. Ruiz", "El señor Pérez y la doctora Ruiz"),
        ("frutas, p. ej. peras, etc.", "frutas, por ejemplo peras, etcétera."),
        ("n.º 5, pág. 3", "número cinco, página tres"),
        ("612 345 678", "seis uno dos, tres cuatro cinco, seis siete ocho"),
        ("+34 612 345 678", "más tres cuatro, seis uno dos, tres cuatro cinco, seis siete ocho"),
        ("Felipe VI, siglo XXI", "Felipe sexto, siglo veintiuno"),
        ("$1,000, 5 M€, 2x", "mil dólares, cinco millones de euros, dos veces"),
        ("1/2 taza, ½ litro, el 1/5", "media taza, medio litro, el uno de mayo"),
        ("Juan Pablo II, Enrique VIII", "Juan Pablo segundo, Enrique octavo"),
        ("$1.5 mil millones, 10 k€", "uno coma cinco mil millones de dólares, diez mil euros"),
        ("47 M de habitantes, ene-mar", "cuarenta y siete millones de habitantes, enero a marzo"),
        ("escala 1:10, (55) 1234 5678",
         "escala uno a diez, cinco cinco, uno dos tres cuatro, cinco seis"
         " siete ocho"),
        ("siglos XIX-XX, 1/4 l, 1/2 h",
         "siglos diecinueve a veinte, un cuarto de litro, media hora"),
        ("RD 1/2020, 05/12", "RD uno de dos mil veinte, cinco de diciembre"),
        ("abierto lun-vie o ene-mar", "abierto lunes a viernes o enero a marzo"),
        ("2 + 2 = 4", "dos más dos igual a cuatro"),
    ],
)  # fmt: skip
def test_spanish(text: str, said: str) -> None:
    assert make_verbalizer(LANGUAGES["spanish"]).verbalize(text) == said


def test_what_is_asked_for_is_said() -> None:
    assert say_as("12", "ordinal", "Spanish") == "duodécimo"
    assert say_as("2026", "digits", "Spanish") == "dos cero dos seis"
    assert say_as("1/2/2026", "date", "Spanish", "dmy") == "uno de febrero de dos mil veintiséis"

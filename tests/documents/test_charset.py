import pytest

from selfsent.documents.charset import decode, decode_declared, is_guessed, is_utf8


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_tells_the_encoding(encoding: str) -> None:
    assert decode("Zoë 你好\n".encode(encoding)) == "Zoë 你好\n"


def test_what_is_not_utf8_is_windows_1252() -> None:
    text = "Le café\u00a0» est “naïf”\x81"  # as UTF-8, the end of its first words would be a Chinese character
    assert decode(text.replace("\x81", "").encode("cp1252") + b"\x81") == text
    assert is_guessed(text.encode("latin-1", "ignore"))
    assert not is_guessed("naïve".encode())


def test_a_few_wrong_bytes_do_not_spoil_utf8() -> None:
    assert decode("Привет, naïve ".encode() + b"\x93caf\xe9\x94") == "Привет, naïve “café”"


def test_a_character_cut_off_at_the_end_is_still_utf8() -> None:
    assert is_utf8("naï".encode()[:-1])
    assert not is_utf8(b"na\xef ve")


@pytest.mark.parametrize(
    ("declaration", "encoding"),
    [
        ('<meta charset="koi8-r">', "koi8-r"),
        ('<META http-equiv="Content-Type" content="text/html; charset=windows-1251">', "cp1251"),
        ('<?xml version="1.0" encoding="shift_jis"?>', "shift_jis"),
        ("<meta charset=utf-8>", "utf-8"),
    ],
)
def test_a_page_is_decoded_as_it_declares(declaration: str, encoding: str) -> None:
    text = f"{declaration}<p>Привет"
    assert decode_declared(text.encode(encoding)) == text
    assert not is_guessed(text.encode(encoding))


def test_latin1_of_the_web_is_windows_1252() -> None:
    assert decode_declared(b'<meta charset="ISO-8859-1">\x93hi\x94').endswith("“hi”")


def test_a_byte_order_mark_counts_before_the_declaration() -> None:
    assert decode_declared(b'\xef\xbb\xbf<meta charset="koi8-r">\xc3\xa9').endswith("é")


def test_an_unknown_encoding_is_read_as_if_none_were_named() -> None:
    assert decode_declared('<meta charset="klingon">é'.encode()).endswith("é")

"""TMX, gettext catalogues and aligned files: what they hold, and what each refuses."""

import gzip
from pathlib import Path

import pytest

from selfsent.data.formats import BadRecord
from selfsent.data.parallel import translation_memory
from selfsent.data.parallel.parallel_formats import check_equal_lengths, normal_code, read_aligned, read_po, read_tmx
from selfsent.errors import UserError

TMX = """<?xml version="1.0" encoding="{encoding}"?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<tmx version="1.4"><header srclang="en-US" datatype="plaintext"/><body>
{units}
</body></tmx>
"""
UNIT = '<tu><tuv xml:lang="DE"><seg>Grüße, <bpt i="1">&lt;b&gt;</bpt>Ärzte<ept i="1">&lt;/b&gt;</ept>!</seg></tuv>'
UNIT += '<tuv xml:lang="en-us"><seg>Greetings, <hi>doctors</hi>!</seg></tuv></tu>'


def write_tmx(path: Path, *units: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(TMX.format(encoding=encoding, units="\n".join(units)).encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_a_unit_has_its_source_first_and_no_inline_code(tmp_path, encoding):
    path = write_tmx(tmp_path / "memory.tmx", UNIT, encoding=encoding)
    ((line, texts),) = read_tmx(path)
    assert line == 4
    assert list(texts.items()) == [("en-US", "Greetings, doctors!"), ("de", "Grüße, Ärzte!")]


def test_a_compressed_memory_is_read(tmp_path):
    path = write_tmx(tmp_path / "memory.tmx", UNIT, UNIT)
    packed = tmp_path / "memory.tmx.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert list(read_tmx(packed)) == list(read_tmx(path))


def test_a_unit_of_one_language_is_passed_over_and_a_bad_one_is_told(tmp_path):
    lone = '<tu><tuv xml:lang="en"><seg>alone</seg></tuv></tu>'
    strange = '<tu><tuv xml:lang="en"><seg>a</seg></tuv><tuv xml:lang="qq"><seg>b</seg></tuv></tu>'
    empty = '<tu><tuv xml:lang="en"><seg>a</seg></tuv><tuv xml:lang="de"><seg> </seg></tuv></tu>'
    found = [record for _, record in read_tmx(write_tmx(tmp_path / "m.tmx", lone, strange, empty))]
    assert [type(record) for record in found] == [BadRecord, BadRecord]
    assert "'qq' is not a language code" in found[0].reason
    assert "segment in de is empty" in found[1].reason


@pytest.mark.parametrize("illegal", [b"\x0b", b"\xff", b"&#11;", b"&#x1F;", b"&#x110000;", b"\xef\xbf\xbf"])
def test_one_character_that_xml_may_not_hold_spoils_its_unit_and_no_other(tmp_path, illegal):
    path = write_tmx(tmp_path / "m.tmx", UNIT, UNIT.replace("doctors", "doc@tors"), UNIT)
    path.write_bytes(path.read_bytes().replace(b"@", illegal))
    first, (line, bad), last = read_tmx(path)
    assert [first[0], line, last[0]] == [4, 5, 6]
    assert isinstance(bad, BadRecord)
    assert "the segment in en-US holds a control character" in bad.reason
    assert first[1] == last[1]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le"])
def test_a_memory_reads_the_same_however_its_bytes_are_cut(tmp_path, monkeypatch, encoding):
    path = write_tmx(tmp_path / "m.tmx", UNIT.replace("doctors", "d&#246;ctors &#x0b;&amp;"), UNIT, encoding=encoding)
    whole = list(read_tmx(path))
    assert [type(record) for _, record in whole] == [BadRecord, dict]
    for num_bytes in (2, 7):
        monkeypatch.setattr(translation_memory, "_BYTES_A_READ", num_bytes)
        assert list(read_tmx(path)) == whole


def test_what_is_no_tmx_is_one_line(tmp_path):
    cases = {"cut": TMX[:150].format(encoding="utf-8", units=UNIT), "other": "<html><p>a</p></html>"}
    for (name, text), message in zip(cases.items(), ["not well-formed TMX", "root is not <tmx>"], strict=True):
        path = tmp_path / f"{name}.tmx"
        path.write_text(text, encoding="utf8")
        with pytest.raises(UserError, match=message):
            list(read_tmx(path))


def test_a_memory_that_declares_entities_is_refused(tmp_path):
    text = '<!DOCTYPE tmx [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><tmx><body/></tmx>'
    (tmp_path / "bomb.tmx").write_text(text)
    with pytest.raises(UserError, match="declares the entity a"):
        list(read_tmx(tmp_path / "bomb.tmx"))


PO = r"""# A comment
msgid ""
msgstr ""
"Language: de\n"
"Content-Type: text/plain; charset=UTF-8\n"

#: main.c:3
msgid "Open the \"file\""
msgstr ""
"Die »Datei« "
"öffnen"

#, fuzzy
msgid "Close"
msgstr "Öffnen"

msgid "Untranslated"
msgstr ""

#, c-format
msgctxt "menu"
msgid "%d file"
msgid_plural "%d files"
msgstr[0] "%d Datei"
msgstr[1] "%d Dateien"

#~ msgid "Old"
#~ msgstr "Alt"
"""


def test_a_catalogue_gives_its_finished_messages(tmp_path):
    (tmp_path / "de.po").write_text(PO, encoding="utf8")
    assert list(read_po(tmp_path / "de.po")) == [
        (8, {"en": 'Open the "file"', "de": "Die »Datei« öffnen"}),
        (22, {"en": "%d file", "de": "%d Datei"}),
        (22, {"en": "%d files", "de": "%d Dateien"}),
    ]


def test_a_catalogue_is_read_in_the_encoding_its_header_names(tmp_path):
    text = PO.replace("UTF-8", "ISO-8859-1")
    (tmp_path / "de.po").write_bytes(text.encode("latin-1"))
    assert next(read_po(tmp_path / "de.po"))[1] == {"en": 'Open the "file"', "de": "Die »Datei« öffnen"}
    (tmp_path / "wrong.po").write_bytes(PO.encode("latin-1"))
    assert any(
        isinstance(record, BadRecord) and "is not UTF-8" in record.reason
        for _, record in read_po(tmp_path / "wrong.po")
    )


def test_a_header_that_is_marked_fuzzy_is_the_header(tmp_path):
    (tmp_path / "de.po").write_text(PO.replace("# A comment", "#, fuzzy"), encoding="utf8")
    assert [line for line, _ in read_po(tmp_path / "de.po")] == [8, 22, 22]


@pytest.mark.parametrize("damage", [('"öffnen"', "öffnen"), ('"öffnen"', '"\udcff"')])
def test_a_line_that_cannot_be_read_spoils_its_message_and_no_other(tmp_path, damage):
    (tmp_path / "de.po").write_bytes(PO.replace(*damage).encode("utf8", "surrogateescape"))
    (line, bad), *others = read_po(tmp_path / "de.po")
    assert line == 11
    assert isinstance(bad, BadRecord)
    assert [number for number, _ in others] == [22, 22]


@pytest.mark.parametrize(
    ("written", "code"),
    [("sr@latin", "sr-Latn"), ("uz_UZ@cyrillic", "uz-Cyrl-UZ"), ("ca@valencia", "ca"), ("de_DE.UTF-8@euro", "de-DE")],
)
def test_the_name_of_a_locale_is_a_language(tmp_path, written, code):
    assert normal_code(written) == code
    (tmp_path / "x.po").write_text(PO.replace("Language: de", f"Language: {written}"), encoding="utf8")
    assert list(next(read_po(tmp_path / "x.po"))[1]) == ["en", code]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PO.replace("Language: de", "Language: xx"), "'xx' is not a language code"),
        (PO.replace('"Language: de\\n"\n', ""), "does not name its language"),
        (PO[PO.index("#: main") :], "a message before any header"),
    ],
)
def test_a_wrong_catalogue_is_one_line(tmp_path, text, message):
    (tmp_path / "de.po").write_text(text, encoding="utf8")
    with pytest.raises(UserError, match=message):
        list(read_po(tmp_path / "de.po"))


def write_lines(path: Path, *lines: str, encoding: str = "utf8") -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding=encoding)
    return path


def test_aligned_files_are_read_side_by_side(tmp_path):
    files = {
        "en": write_lines(tmp_path / "a.en", "one", "", "two"),
        "he": write_lines(tmp_path / "a.he", "אחת", " ", "שתיים"),
    }
    assert list(read_aligned(files)) == [(1, {"en": "one", "he": "אחת"}), (3, {"en": "two", "he": "שתיים"})]


def test_an_empty_side_and_a_wrong_encoding_are_told_with_their_file(tmp_path):
    files = {
        "en": write_lines(tmp_path / "a.en", "one", "two", "three"),
        "de": write_lines(tmp_path / "a.de", "eins", "", "fünf", encoding="latin-1"),
    }
    found = dict(read_aligned(files))
    assert found[1] == {"en": "one", "de": "eins"}
    assert found[2] == BadRecord("a.de is empty there, and a.en is not")
    assert "a.de: not valid UTF-8 at byte 2" in found[3].reason


def test_tables_are_aligned_column_by_column(tmp_path):
    english = write_lines(tmp_path / "en.jsonl", '{"sentence1": "a", "sentence2": "b", "score": 1}')
    german = write_lines(tmp_path / "de.jsonl", '{"sentence1": "c", "sentence2": "d", "score": 1}')
    assert list(read_aligned({"en": english, "de": german})) == [
        (1, {"en": "a", "de": "c"}),
        (1, {"en": "b", "de": "d"}),
    ]


def test_files_of_unequal_length_are_refused_with_all_counts(tmp_path):
    files = {"en": write_lines(tmp_path / "a.en", "1", "2", "3"), "de": write_lines(tmp_path / "a.de", "1", "2")}
    with pytest.raises(UserError, match=r"a\.en has 3, a\.de has 2"):
        check_equal_lengths(files)


def test_codes_are_written_the_usual_way():
    assert [normal_code(code) for code in ("DE", "en_us", "zh-hans", " pt-BR")] == ["de", "en-US", "zh-Hans", "pt-BR"]
    assert normal_code("QQ") == "QQ"

import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from selfsent.data.compression import byte_lines, format_suffixes, open_seekable, reading
from selfsent.errors import UserError

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".zst": lambda data: zstandard.ZstdCompressor().compress(data),
}


@pytest.mark.parametrize(
    ("name", "suffixes"),
    [
        ("a.txt", (".txt", "")),
        ("A.TXT.XZ", (".txt", ".xz")),
        ("v1.2.jsonl.zst", (".jsonl", ".zst")),
        ("a.gz", ("", ".gz")),
        ("a", ("", "")),
    ],
)
def test_a_name_tells_format_and_compression(name: str, suffixes: tuple[str, str]) -> None:
    assert format_suffixes(Path(name)) == suffixes


@pytest.mark.parametrize("suffix", COMPRESS)
def test_lines_of_every_compression_are_the_same(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.txt{suffix}"
    path.write_bytes(COMPRESS[suffix](b"\xef\xbb\xbfone\r\ntwo\n\nlast"))
    assert list(byte_lines(path)) == [(1, b"one"), (2, b"two"), (3, b""), (4, b"last")]


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".zst"])
def test_several_compressed_members_in_a_row_are_one_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.txt{suffix}"
    path.write_bytes(COMPRESS[suffix](b"one\n") + COMPRESS[suffix](b"two\n"))
    assert [line for _, line in byte_lines(path)] == [b"one", b"two"]


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".zst"])
def test_a_truncated_file_is_told_apart_from_a_short_one(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.txt{suffix}"
    whole = COMPRESS[suffix]("".join(f"{number**3} lines\n" for number in range(5000)).encode())
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"a\.txt\.\w+ ends in the middle of its compressed data"):
        list(byte_lines(path))


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".zst"])
def test_a_plain_file_with_the_name_of_a_compressed_one_is_an_error(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.txt{suffix}"
    path.write_text("not compressed at all\n" * 10)
    with pytest.raises(UserError, match="cannot decompress"):
        list(byte_lines(path))


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"abc\0def\n", "NUL"),
        ("ab\n".encode("utf-16"), "iconv -f UTF-16"),
        (gzip.compress(b"text", mtime=0), r"end its name with \.gz"),
        (lzma.compress(b"text"), r"end its name with \.xz"),
        (b"PAR1....", r"end its name with \.parquet"),
        (b"PK\x03\x04...", "unpack"),
    ],
)
def test_a_binary_file_is_refused_with_what_it_seems_to_be(tmp_path: Path, content: bytes, hint: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"a.txt looks binary.*{hint}"):
        list(byte_lines(path))


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (FileNotFoundError(2, "no such file"), "no file at some.txt"),
        (PermissionError(13, "denied"), "cannot read some.txt: permission denied"),
        (OSError(5, "Input/output error"), "cannot read some.txt: Input/output error"),
    ],
)
def test_a_failure_of_the_system_names_the_file(problem: OSError, text: str) -> None:
    with pytest.raises(UserError, match=text), reading(Path("some.txt")):
        raise problem


@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_seekable_stream_reads_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.parquet{suffix}"
    path.write_bytes(COMPRESS[suffix](b"0123456789"))
    with open_seekable(path) as stream:
        stream.seek(4)
        assert stream.read() == b"456789"

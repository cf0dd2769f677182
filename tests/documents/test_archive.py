import io
import zipfile

import pytest
from tests.documents.made_files import archive

from selfsent.documents import archive as module
from selfsent.documents.archive import Archive
from selfsent.documents.skipped import UnreadableError


def test_a_member_that_unpacks_to_far_more_than_it_takes_is_refused() -> None:
    opened = Archive(io.BytesIO(archive({"a": bytes(40 * 2**20)})))
    with pytest.raises(UnreadableError, match="too large when unpacked: a unpacks to 40 MiB"):
        opened.read("a")


def test_members_are_refused_once_they_are_too_large_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_UNPACKED_BYTES", 25)
    opened = Archive(io.BytesIO(archive({"a": "x" * 10, "b": "y" * 10, "c": "z" * 10})))
    assert opened.read("a") + opened.read("b") == b"x" * 10 + b"y" * 10
    with pytest.raises(UnreadableError, match="too large"):
        opened.read("c")


def test_a_member_that_lies_about_its_size_does_not_unpack_further() -> None:
    data = archive({"a": bytes(100_000)})
    size = (100_000).to_bytes(4, "little")
    opened = Archive(io.BytesIO(data.replace(size, (10).to_bytes(4, "little"))))
    with pytest.raises(zipfile.BadZipFile):
        opened.read("a")


def test_an_encrypted_member_asks_for_a_password() -> None:
    data = bytearray(archive({"a": "x"}))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(UnreadableError, match="password"):
        Archive(io.BytesIO(bytes(data))).read("a")

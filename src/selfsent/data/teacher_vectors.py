"""A teacher's vectors of a corpus, computed once and kept on disk: resumable, and mapped into memory."""

import contextlib
import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from tqdm.auto import tqdm

from selfsent.atomic import write_text
from selfsent.data.cache_folder import cache_folder
from selfsent.encoding import chunked, count_cut, cut_note, default_prompt, encode_texts
from selfsent.errors import UserError

_VECTORS_FILE = "vectors.npy"
_RECORD_FILE = "record.json"
_LOCK_FILE = ".lock"
_BYTES_A_VALUE = 4
_LOG = logging.getLogger(__name__)

VectorFile = np.memmap[Any, np.dtype[np.float32]]
Texts = Callable[[], Iterable[str]]
"""Makes one pass over the texts, always the same in the same order."""


@dataclass(frozen=True, kw_only=True)
class TeacherVectors:
    """What a cache holds.

    Args:
        vectors: Unit vectors, ``(texts, D)``, mapped from the file; row ``i`` belongs to text ``i``.
        num_encoded: How many of them this call computed; the others were there.
        folder: Where they are.
    """

    vectors: VectorFile
    num_encoded: int
    folder: Path


class _DamagedCacheError(UserError):
    """The files of a cache cannot be read; in the default folder they are made again."""


@dataclass(frozen=True)
class _Owner:
    """The owner of a cache: the hash of the teacher, that of the texts, and how many they are."""

    teacher: str
    texts: str
    num_texts: int


def teacher_vectors(
    texts: Texts,
    *,
    teacher: Callable[[], SentenceTransformer],
    teacher_hash: str,
    former_teacher_hashes: Callable[[], Collection[str]] = tuple,
    folder: Path | None = None,
    batch_size: int = 64,
    texts_per_part: int = 4096,
) -> TeacherVectors:
    """Open a teacher's vectors of a corpus, and compute those that are missing.

    The folder holds one array and a record of how many rows are done. A killed run continues after the last whole part;
    a second process on the same folder (another rank, another run) waits and finds them done. Memory holds a part.

    Args:
        texts: The corpus.
        teacher: Opens the teacher; called only if a vector is missing.
        teacher_hash: Names the teacher's content (`selfsent.model_content.content_hash`).
        former_teacher_hashes: Further names of it, in caches of earlier versions; called only if the name there is
            another.
        folder: The cache of this corpus and teacher, made if missing; default: a folder of the user's cache
            (``$XDG_CACHE_HOME`` or ``~/.cache``) named after the content of both.
        batch_size: Texts encoded at once.
        texts_per_part: Texts of a part: what a kill loses at most.

    Returns:
        The vectors, normalised, in the order of the texts.

    Raises:
        UserError: The folder that was named is damaged, holds vectors of another teacher or of other texts, or cannot
            be written, the disk is too small, or the teacher gives a vector that is not finite.
    """
    owner = _owner(texts(), teacher_hash)
    place = folder or _default_folder(owner)

    def filled() -> TeacherVectors:
        num_done = _num_done(place, owner, former_teacher_hashes)
        if num_done < owner.num_texts:
            _compute(texts, place, teacher(), owner, num_done, batch_size=batch_size, texts_per_part=texts_per_part)
        vectors = _opened(place, owner.num_texts, mode="r")
        return TeacherVectors(vectors=vectors, num_encoded=owner.num_texts - num_done, folder=place)

    with _locked(place):
        try:
            return filled()
        except _DamagedCacheError as error:
            if folder is not None:
                raise
            _LOG.warning("%s: they are computed again", error)
            for name in (_RECORD_FILE, _VECTORS_FILE):
                (place / name).unlink(missing_ok=True)
            return filled()


def _owner(texts: Iterable[str], teacher_hash: str) -> _Owner:
    digest, num_texts = hashlib.sha256(), 0
    for text in texts:
        encoded = text.encode("utf8", "surrogatepass")
        digest.update(f"{len(encoded)}:".encode() + encoded)
        num_texts += 1
    return _Owner(teacher_hash, digest.hexdigest(), num_texts)


def _default_folder(owner: _Owner) -> Path:
    root = cache_folder()
    if root is None:
        raise UserError("there is no home folder to keep the teacher's vectors in; name a folder with teacher_cache")
    return root / "teacher-vectors" / hashlib.sha256(f"{owner.teacher} {owner.texts}".encode()).hexdigest()[:32]


@contextlib.contextmanager
def _locked(folder: Path) -> Generator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / _LOCK_FILE)
        lock.acquire()
    except OSError as error:
        raise UserError(
            f"cannot write the teacher's vectors to {folder}: {error.strerror}; name another folder with teacher_cache"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _num_done(folder: Path, owner: _Owner, former_teacher_hashes: Callable[[], Collection[str]]) -> int:
    """How many vectors the folder holds.

    Raises:
        UserError: They belong to something else, or the record is not readable.
    """
    path = folder / _RECORD_FILE
    if not path.is_file():
        if (folder / _VECTORS_FILE).exists():
            raise _DamagedCacheError(
                f"{folder} holds vectors without their record {_RECORD_FILE}; name an empty folder"
            )
        return 0
    try:
        record = dict(json.loads(path.read_text("utf8")))
        num_done = int(record.pop("num_done"))
        found = _Owner(**record)
    except (ValueError, TypeError, KeyError) as error:
        raise _DamagedCacheError(
            f"{path} is damaged; delete {folder}, and the teacher's vectors are computed again"
        ) from error
    if found.teacher != owner.teacher and found.teacher not in former_teacher_hashes():
        raise UserError(
            f"the teacher cache {folder} was made by another model ({found.teacher[:12]}, and this teacher is"
            f" {owner.teacher[:12]}); name another folder with teacher_cache"
        )
    if (found.texts, found.num_texts) != (owner.texts, owner.num_texts):
        raise UserError(
            f"the teacher cache {folder} was made from other texts ({found.num_texts:,} of hash {found.texts[:12]}, and"
            f" here are {owner.num_texts:,} of {owner.texts[:12]}); name another folder with teacher_cache"
        )
    return num_done


def _compute(
    texts: Texts,
    folder: Path,
    teacher: SentenceTransformer,
    owner: _Owner,
    num_done: int,
    *,
    batch_size: int,
    texts_per_part: int,
) -> None:
    """Encode the texts behind those that are done, a part at a time."""
    vectors = _opened(folder, owner.num_texts, mode="r+") if num_done else None
    num_cut = 0
    with tqdm(total=owner.num_texts, initial=num_done, desc="teacher", unit=" texts", disable=None) as progress:
        for part in chunked(islice(texts(), num_done, None), texts_per_part):
            found = _unit(encode_texts(teacher.encode, part, batch_size=batch_size))
            if vectors is None:
                _write_record(folder, owner, 0)
                vectors = _created(folder, (owner.num_texts, found.shape[1]))
            vectors[num_done : num_done + len(part)] = found
            vectors.flush()
            num_done += len(part)
            num_cut += count_cut(teacher, part, prompt=default_prompt(teacher))
            _write_record(folder, owner, num_done)
            progress.update(len(part))
    if num_cut:
        _LOG.warning("of the teacher: %s", cut_note(teacher, num_cut, owner.num_texts))


def _write_record(folder: Path, owner: _Owner, num_done: int) -> None:
    write_text(folder / _RECORD_FILE, json.dumps({**asdict(owner), "num_done": num_done}) + "\n")


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)


def _created(folder: Path, shape: tuple[int, int]) -> VectorFile:
    """Make the array on disk; a file mapped into memory must have its room before it is written to."""
    needed, free = shape[0] * shape[1] * _BYTES_A_VALUE, shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f"the teacher's vectors of {shape[0]:,} texts take {needed / 2**20:,.0f} MiB, and {folder} has"
            f" {free / 2**20:,.0f} MiB left; free some, name another place with teacher_cache, or lower --max-rows"
        )
    return np.lib.format.open_memmap(folder / _VECTORS_FILE, mode="w+", dtype=np.float32, shape=shape)


def _opened(folder: Path, num_texts: int, *, mode: Literal["r", "r+"]) -> VectorFile:
    path = folder / _VECTORS_FILE
    try:
        vectors = np.lib.format.open_memmap(path, mode=mode)
    except (OSError, ValueError) as error:
        raise _DamagedCacheError(f"cannot read {path}: {error}; delete {folder} to compute them again") from error
    if vectors.ndim != 2 or len(vectors) != num_texts or vectors.dtype != np.float32:  # noqa: PLR2004 texts and values
        raise _DamagedCacheError(
            f"{path} holds no vectors of {num_texts:,} texts; delete {folder}, and they are computed again"
        )
    return vectors


def texts_of_columns(batches: Iterable[dict[str, list[str]]]) -> Iterator[str]:
    """Yield the texts of batches of rows, row by row: text ``c`` of row ``r`` has the number ``r * columns + c``."""
    for batch in batches:
        for row in zip(*batch.values(), strict=True):
            yield from row

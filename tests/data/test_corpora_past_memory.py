"""A corpus larger than the memory that a process may have is written, shuffled, packed, parsed, counted and taught."""

import subprocess
import sys
from pathlib import Path

import pytest

resource = pytest.importorskip("resource")

_MEMORY_MIB = 48
_WORK = """
import resource, sys
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from torch.utils.data import DataLoader

from selfsent.counts.latent_semantics import latent_semantics
from selfsent.counts.tokenized_texts import TokenizedTexts, TokenWriter
from selfsent.data.arrow_file import materialise
from selfsent.data.heldout import split_heldout
from selfsent.data.packed_texts import PackedTexts
from selfsent.data.teacher_vectors import teacher_vectors
from selfsent.data.training_rows import TrainingRows
from selfsent.parsing.parse_file import ParseFile, join_parses, write_parses
from selfsent.parsing.parsed_text import ParsedText

folder, num_rows, memory = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(1)


class Words:
    'As many tokens as words.'

    def __call__(self, texts, **_):
        texts = [texts] if isinstance(texts, str) else texts
        return {"input_ids": [range(text.count(" ")) for text in texts]}


class Teacher:
    'Vectors of 512 values, all alike.'

    def encode(self, texts, **_):
        return np.ones((len(texts), 512), dtype=np.float32)


def rows(number):
    return ({"text": f"{row} " + "word " * 400} for row in range(number))


def text_of(row):
    return f"{row:05d} " + " ".join(["word"] * 400)


def parsed(place, number):
    'A file of trees that branch to the right.'
    starts, depths = np.array([0, *range(6, 6 + 5 * 400, 5)]), np.arange(400)
    for first in range(0, number, 500):
        texts = map(text_of, range(first, first + 500))
        some = [ParsedText(text=text, word_starts=starts, split_depths=depths) for text in texts]
        write_parses(place / f"{first:05d}.parses", some)
    join_parses(sorted(place.glob("*.parses")), place / "trees.parquet")
    return ParseFile(place / "trees.parquet")


def work(place, number):
    'Give the sizes of the files.'
    dataset = materialise(rows(number), place / "corpus.arrow")
    train, heldout = split_heldout(dataset, fraction=0.01)
    assert len(train) + len(heldout) == number
    loader = DataLoader(train, batch_size=512, shuffle=True)
    seen = sum(int(text.split()[0]) for batch in loader for text in batch["text"])
    assert seen == sum(range(number)) - sum(int(text.split()[0]) for text in heldout["text"])
    packed = materialise(PackedTexts(dataset, tokenizer=Words(), max_seq_length=900), place / "packed.arrow")
    assert len(packed) == -(-number // 2)
    texts = lambda: (row["text"] for row in dataset)
    taught = teacher_vectors(texts, teacher=Teacher, teacher_hash="a", folder=place / "teacher")
    assert np.allclose(taught.vectors[-1], 512**-0.5)
    assert sum(1 for _ in TrainingRows(lambda: ({"text": text} for text in texts()), ["text"])) == number
    parses = parsed(place, number)
    assert parses.find(text_of(number - 1)).word_starts[-1] == 6 + 5 * 399
    with TokenWriter(place) as tokens:
        for first in range(0, number, 500):
            tokens.add([np.arange(first + row, first + row + 400) % 50 for row in range(min(500, number - first))])
    vectors = latent_semantics(TokenizedTexts.open(place, 50), dimension=4)
    assert np.isfinite(vectors).all()
    return [parses._starts.values.nbytes, *(file.stat().st_size for file in place.rglob("*") if file.is_file())]


for name in ("warm", "big"):
    (folder / name).mkdir()
work(folder / "warm", 2000)
status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
limit = int(status["VmData"].split()[0]) * 1024 + memory * 2**20
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
print(*work(folder / "big", num_rows))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's account of memory")
@pytest.mark.slow
def test_everything_that_reads_a_corpus_does_with_less_memory_than_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _WORK, str(tmp_path), "40000", str(_MEMORY_MIB)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr[-2000:]
    large = [size for size in map(int, done.stdout.split()) if size > _MEMORY_MIB << 20]
    assert len(large) == 5  # the corpus, packed; the teacher's vectors; the token ids; where words begin in the trees

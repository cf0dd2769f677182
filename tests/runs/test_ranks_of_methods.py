"""Two ranks with half a batch each have the losses of one process with the whole batch, where that can be."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tests.methods.method_cases import CASES
from tests.processes import free_port, meeting
from tests.runs.ranks_of_methods import VARIANTS
from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast

from selfsent.methods import METHODS

pytestmark = pytest.mark.slow

ALONE = {"fasttext", "document-contrast"}
"""Methods that train in one process and say so."""

OWN_GRAPH = {"banyan"}
"""Methods whose losses are others on two ranks: equal phrases are one node among the sentences of a rank alone."""

NAMES = [*CASES, *VARIANTS]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: PreTrainedTokenizerFast) -> Path:
    folder = tmp_path_factory.mktemp("ranks")
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tiny_tokenizer.backend_tokenizer, pad_token="[PAD]", unk_token="[UNK]"
    )
    tokenizer.add_special_tokens({"mask_token": "[MASK]", "cls_token": "[CLS]", "sep_token": "[SEP]"})
    config = BertConfig(vocab_size=len(tokenizer), max_position_embeddings=64, **sizes, **dropout)
    BertForMaskedLM(config).save_pretrained(folder / "bert")
    tokenizer.save_pretrained(folder / "bert")
    static = StaticEmbedding(tiny_tokenizer.backend_tokenizer, embedding_dim=16)
    SentenceTransformer(modules=[static], device="cpu").save_pretrained(str(folder / "static"))
    for method, case in CASES.items():
        copies = [
            {name: f"{value} {copy}" if isinstance(value, str) else value for name, value in row.items()}
            for row in case.rows
            for copy in range(48 // len(case.rows) + 1)
        ]
        (folder / f"{method}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in copies))
    return folder


@pytest.fixture(scope="module")
def losses(place: Path) -> dict[str, dict[str, list[float] | str]]:
    """What one process says, and each of two ranks; each trains all methods, since to start is what takes time."""
    port = free_port()
    processes = {}
    for name, environment in {"alone": {}, "first": meeting(0, port), "second": meeting(1, port)}.items():
        command = [
            sys.executable,
            "-m",
            "tests.runs.ranks_of_methods",
            str(place),
            str(place / f"{name}.json"),
            *(name for name in NAMES if name not in ALONE or environment),
        ]
        given = {**os.environ, "SELFSENT_DATA": "", "CUDA_VISIBLE_DEVICES": "", **environment}
        processes[name] = subprocess.Popen(command, env=given, cwd=ROOT)
    try:
        for process in processes.values():
            process.wait(timeout=1200)
    finally:
        for process in processes.values():
            process.kill()
    return {name: json.loads((place / f"{name}.json").read_text()) for name in processes}


@pytest.mark.timeout(1300)
@pytest.mark.parametrize("name", [name for name in NAMES if name not in ALONE])
def test_two_ranks_train_as_one_process_does(name, losses):
    alone, first, second = (losses[place][name] for place in ("alone", "first", "second"))
    assert isinstance(alone, list), alone
    assert isinstance(first, list), first
    assert first == second  # both read the file that the first rank wrote
    assert len(first) == len(alone) == 3
    assert (first == pytest.approx(alone, rel=1e-3 if "bfloat16" in name else 1e-5)) == (name not in OWN_GRAPH)


@pytest.mark.timeout(1300)
@pytest.mark.parametrize("method", sorted(ALONE))
def test_methods_of_one_process_say_so(method, losses):
    assert losses["first"][method] == losses["second"][method]
    assert "trains in one process; start it without torchrun" in losses["first"][method]


def test_the_documentation_names_every_method_and_says_the_same_of_it():
    table = (ROOT / "docs" / "scale.md").read_text().partition("| methods |")[2].partition("\n\n")[0]
    said = {
        method: cells[3].strip()
        for row in table.splitlines()[2:]
        for cells in [row.split("|")]
        for method in re.findall(r"`([a-z-]+)`", cells[1])
    }
    assert said.keys() == METHODS.keys() == CASES.keys()
    assert {method for method, words in said.items() if words.startswith("one process")} == ALONE
    assert {method for method, words in said.items() if words.startswith("no")} == OWN_GRAPH

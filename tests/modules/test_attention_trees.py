"""Trees from attention: pieces to words, what a text of one word gets, and a model that keeps its transformer."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from tests.modules.transformer_models import write_bert
from transformers import AutoModel, AutoTokenizer, PreTrainedTokenizerFast

import selfsent
from selfsent.errors import UserError
from selfsent.model_content import model_files
from selfsent.modules import TreeEncoder
from selfsent.modules.attention_trees import AttentionTrees, word_affinity
from selfsent.runs.train import train
from selfsent.trees.affinity import merged_by_affinity


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bert(tmp_path_factory.mktemp("bert"), ["the cat sleeps on the roof", "a dog runs in the rain"])


def test_attention_between_words_is_the_mean_over_their_pieces():
    # Of five tokens the first and last belong to no word, and the second and third are one.
    attention = np.arange(25.0).reshape(5, 5)
    found = word_affinity(attention, [None, 0, 0, 1, None], 3)
    # Pieces 1 and 2 attend to token 3 with 8 and 13; token 3 to them with 16 and 17; among themselves 6, 7, 11 and 12.
    np.testing.assert_allclose(found, [[9.0, 10.5, 0.0], [16.5, 18.0, 0.0], [0.0, 0.0, 0.0]])


def test_a_tree_is_the_merging_of_the_mean_attention_of_all_layers_and_heads(bert: Path):
    text = "the cat sleeps on the roof"
    (found,) = AttentionTrees(bert)([text])
    model: Any = AutoModel.from_pretrained(bert, attn_implementation="eager").eval()
    tokens = AutoTokenizer.from_pretrained(bert)([text], return_tensors="pt")
    with torch.no_grad():
        layers = model(**tokens, output_attentions=True).attentions
    mean = sum(layer[0, head].numpy() for layer in layers for head in range(2)) / (2 * len(layers))
    words = [None if word is None else int(word) for word in tokens.word_ids(0)]
    tree = merged_by_affinity(word_affinity(mean, words, 6))
    depths = [sum(start <= gap and gap + 1 < end for start, end in tree.spans) - 1 for gap in range(5)]
    assert found.split_depths.tolist() == depths
    assert found.word_starts.tolist() == [0, 4, 8, 15, 18, 22]


def test_texts_without_a_word_of_one_word_and_longer_than_the_transformer_reads_have_trees(bert: Path):
    empty, one, long = AttentionTrees(bert)(["", "cat", "cat " * 100])
    assert (len(empty.split_depths), len(one.split_depths), len(long.split_depths)) == (0, 0, 99)


def test_what_is_no_transformer_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match=r"cannot open .* for structure=attention.*name the folder"):
        AttentionTrees(tmp_path)


def test_an_encoder_without_a_transformer_says_what_it_needs(tiny_tokenizer: PreTrainedTokenizerFast):
    encoder = TreeEncoder(tokenizer=tiny_tokenizer, channels=2, channel_size=2, structure="attention")
    with pytest.raises(UserError, match="structure=attention needs a transformer"):
        encoder.preprocess(["the cat sleeps"])


@pytest.fixture
def trained(bert: Path, sentences: list[str], tmp_path: Path) -> tuple[Path, SentenceTransformer]:
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("\n".join(sentences) + "\n", encoding="utf8")
    options: dict[str, Any] = {"channels": 2, "channel_size": 2, "vocab_size": 200, "device": "cpu"}
    training = {"max_steps": 2, "per_device_train_batch_size": 4, "best": "none"}
    with pytest.raises(UserError, match=r"structure=attention takes the trees from the attention.*--base"):
        train("strae", corpus, tmp_path / "no", structure="attention", training=training, **options)
    output = tmp_path / "model"
    model = train("strae", corpus, output, structure="attention", base=str(bert), training=training, **options)
    return output, model


def test_a_trained_model_keeps_its_transformer_and_gives_the_same_trees_anywhere(
    trained: tuple[Path, SentenceTransformer], bert: Path, sentences: list[str], tmp_path: Path
):
    output, model = trained
    assert json.loads((output / "config.json").read_text("utf8"))["structure"] == "attention"
    assert {file.relative_to(output).as_posix() for file in model_files(output)} >= {
        "attention/model.safetensors",
        "attention/config.json",
        "attention/tokenizer.json",
    }
    moved = output.rename(tmp_path / "moved")
    opened = selfsent.load(moved, device="cpu")
    together = opened.encode(sentences, batch_size=5)
    np.testing.assert_array_equal(together, model.encode(sentences))
    np.testing.assert_array_equal(np.stack([opened.encode(text) for text in sentences]), together)
    encoder: Any = opened[0]
    assert not any("attention" in name for name in encoder.state_dict())
    words = [sentence.split() for sentence in sentences[:3]]
    assert [len(left) for left, _ in encoder.word_trees(words)] == [len(sentence) - 1 for sentence in words]

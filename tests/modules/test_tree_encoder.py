import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from sentence_transformers import SentenceTransformer
from tests.processes import fork
from transformers import PreTrainedTokenizerFast

from selfsent.errors import UserError
from selfsent.evaluation.baselines import untrained
from selfsent.loading import load
from selfsent.modules import TreeDecoder, TreeEncoder
from selfsent.modules.tree_encoder import STRUCTURES
from selfsent.modules.tree_options import TreeEncoderOptions
from selfsent.options import describe

UNEVEN = ["the cat", "", "a", "Members of the committee voted for the budget, shortly after they had left.", "rain"]


@pytest.fixture
def make(tiny_tokenizer: PreTrainedTokenizerFast):
    def make(**settings: Any) -> SentenceTransformer:
        torch.manual_seed(0)
        settings = {"channels": 4, "channel_size": 4, **settings}
        return SentenceTransformer(modules=[TreeEncoder(tokenizer=tiny_tokenizer, **settings)], device="cpu").eval()

    return make


def weights(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(("channel_size", "count"), [(1, 7), (2, 22), (4, 76), (8, 280), (10, 430), (16, 1072)])
def test_composition_and_decomposition_have_the_published_number_of_weights(make, channel_size: int, count: int):
    encoder, decoder = make(channels=3, channel_size=channel_size)[0], TreeDecoder(channel_size)
    assert weights(encoder.composition) + weights(decoder) == count
    assert weights(encoder) == weights(encoder.composition) + encoder.embedding.weight.numel()


@pytest.mark.parametrize("structure", [name for name in STRUCTURES if name != "attention"])
@pytest.mark.parametrize("shape", [(10, 10), (1, 5)], ids=str)
def test_order_batch_mates_and_padding_never_change_an_embedding(
    make, sentences: list[str], structure: str, shape: tuple[int, int]
):
    model = make(structure=structure, channels=shape[0], channel_size=shape[1], unparsed="random")
    texts = [*sentences, *UNEVEN]
    alone = np.stack([model.encode(text) for text in texts])
    for batch_size in (1, 3, 100):
        np.testing.assert_array_equal(model.encode(texts, batch_size=batch_size), alone)
    np.testing.assert_array_equal(model.encode(texts[::-1], batch_size=4)[::-1], alone)
    features = model.preprocess(texts)
    padded = {name: torch.nn.functional.pad(value, (0, 9)) for name, value in features.items()}
    for batch in (features, padded):
        with torch.no_grad():
            np.testing.assert_array_equal(model(dict(batch))["sentence_embedding"].numpy(), alone)
        np.testing.assert_array_equal(model(dict(batch))["sentence_embedding"].detach().numpy(), alone)


def test_the_root_is_the_sentence_and_the_leaves_are_the_table(make, sentences: list[str]):
    model = make()
    features = model(model.preprocess(sentences))
    states, mask = features["trees"], features["attention_mask"].bool()
    assert len(states) == len(sentences)
    for index, (tree, up) in enumerate(states[i] for i in range(len(states))):
        assert torch.equal(up[-1], features["sentence_embedding"][index])
        ids = features["input_ids"][index][mask[index]]
        assert torch.equal(up[: tree.num_tokens], model[0].embedding.weight[ids])
        assert torch.equal(features["token_embeddings"][index][mask[index]], up[: tree.num_tokens])
    assert not features["token_embeddings"][~mask].any()


def test_a_text_without_tokens_is_the_zero_vector(make):
    model = make()
    assert not model.encode("").any()
    embeddings = model.encode(["", "the cat", ""])
    assert not embeddings[[0, 2]].any()
    np.testing.assert_array_equal(embeddings[1], model.encode("the cat"))
    assert model.encode([]).size == 0


def test_a_text_of_one_token_is_its_row_of_the_table(make, tiny_tokenizer: PreTrainedTokenizerFast):
    model = make()
    (token,) = tiny_tokenizer("a", add_special_tokens=False)["input_ids"]
    np.testing.assert_array_equal(model.encode("a"), model[0].embedding.weight[token].detach().numpy())


def test_a_prompt_stands_before_the_text(make):
    model = make()
    np.testing.assert_array_equal(model.encode("the cat", prompt="a man "), model.encode("a man the cat"))
    assert not np.array_equal(model.encode("the cat", prompt="a man "), model.encode("the cat"))


def test_a_text_is_cut_at_max_seq_length(make, tiny_tokenizer: PreTrainedTokenizerFast):
    text = "the cat sleeps on the warm roof"
    ids = tiny_tokenizer(text, add_special_tokens=False)["input_ids"]
    short, whole = make(max_seq_length=3), make()
    assert short.max_seq_length == 3
    assert short.preprocess([text])["input_ids"].tolist() == [ids[:3]]
    assert whole.preprocess([text])["input_ids"].tolist() == [ids]
    whole.max_seq_length = 3
    np.testing.assert_array_equal(whole.encode(text), short.encode(text))


def test_dropout_acts_in_training_only_and_values_stay_those_of_the_trees_found(make, sentences: list[str]):
    model = make()
    features = model.preprocess(sentences)
    still = model(dict(features))["sentence_embedding"]
    model.train()
    torch.manual_seed(1)
    first, second = (model(dict(features))["sentence_embedding"] for _ in range(2))
    assert not torch.equal(first, second)
    torch.manual_seed(1)
    assert torch.equal(model(dict(features))["sentence_embedding"], first)
    model.eval()
    assert torch.equal(model(dict(features))["sentence_embedding"], still)


def test_without_dropout_training_and_evaluation_are_the_same(make, sentences: list[str]):
    model = make(leaf_dropout=0.0, composition_dropout=0.0)
    features = model.preprocess(sentences)
    still = model(dict(features))["sentence_embedding"]
    assert torch.equal(model.train()(dict(features))["sentence_embedding"], still)


def test_gradients_reach_the_tokens_of_the_batch_and_no_other_row(make, sentences: list[str]):
    model = make()
    features = model.preprocess(sentences[:3])
    model(dict(features))["sentence_embedding"].pow(2).sum().backward()
    used = torch.zeros(len(model[0].embedding.weight), dtype=torch.bool)
    used[features["input_ids"][features["attention_mask"].bool()]] = True
    gradient = model[0].embedding.weight.grad
    assert gradient[used].abs().sum(dim=1).gt(0).all()
    assert not gradient[~used].any()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def _encode_elsewhere(folders: list[str], texts: list[str], output: Path) -> None:
    models = [
        opened
        for path in folders
        for opened in (SentenceTransformer(path, trust_remote_code=True, device="cpu"), load(path, device="cpu"))
    ]
    np.save(output, np.stack([model.encode(texts) for model in models]))


def test_a_saved_model_opens_in_a_new_process_and_embeds_the_same(make, sentences: list[str], tmp_path: Path):
    models = [make(structure=structure, max_seq_length=9) for structure in ("induced", "random")]
    folders, output = [str(tmp_path / name) for name in ("induced", "random")], tmp_path / "embeddings.npy"
    for model, folder in zip(models, folders, strict=True):
        model.save_pretrained(folder)
    fork(_encode_elsewhere, folders, [*sentences, ""], output).join(timeout=200)
    bare_induced, induced, bare_random, random = np.load(output)
    for model, *elsewhere in ((models[0], bare_induced, induced), (models[1], bare_random, random)):
        for embeddings in elsewhere:
            np.testing.assert_array_equal(embeddings, model.encode([*sentences, ""]))


def test_a_saved_model_names_the_class_by_its_frozen_path_and_keeps_every_setting(make, tmp_path: Path):
    settings = {"structure": "left", "leaf_dropout": 0.5, "composition_dropout": 0.25, "init_range": 0.3}
    make(**settings, max_seq_length=7).save_pretrained(str(tmp_path))
    (module,) = json.loads((tmp_path / "modules.json").read_text("utf8"))
    assert module["type"] == "selfsent.modules.TreeEncoder"
    encoder = load(tmp_path, device="cpu")[0]
    expected = {**settings, "channels": 4, "channel_size": 4, "max_seq_length": 7}
    assert {name: getattr(encoder.options, name) for name in expected} == expected


def test_a_saved_model_holds_the_encoder_only_and_no_pickle(make, tmp_path: Path):
    make().save_pretrained(str(tmp_path))
    with safe_open(tmp_path / "model.safetensors", "pt") as saved:
        assert sorted(saved.keys()) == ["composition.linear.bias", "composition.linear.weight", "embedding.weight"]
    assert not [file for file in tmp_path.rglob("*") if file.suffix in {".bin", ".pt", ".pkl"}]


def test_a_truncated_encode_leaves_no_trace_in_the_saved_tokenizer(make, tmp_path: Path):
    model = make(max_seq_length=2)
    model.encode("the cat sleeps")
    model.save_pretrained(str(tmp_path))
    opened = load(tmp_path, device="cpu")
    opened.max_seq_length = None
    np.testing.assert_array_equal(opened.encode("the cat sleeps"), make().encode("the cat sleeps"))


def test_all_bad_settings_are_named_in_one_line(make):
    with pytest.raises(UserError) as caught:
        make(channels=0, leaf_dropout=1.0, composition_dropout=-0.1, init_range=0.0, max_seq_length=0)
    message = str(caught.value)
    assert "\n" not in message
    for name in ("channels=0", "leaf_dropout=1.0", "composition_dropout=-0.1", "init_range", "max_seq_length=0"):
        assert name in message


def test_an_unknown_structure_is_refused_with_those_there_are():
    (structure,) = (one for one in describe(TreeEncoderOptions) if one.name == "structure")
    assert structure.problem("forest").startswith("structure='forest' must be one of induced, balanced, right")


def test_a_keyword_that_is_no_option_is_refused_with_the_nearest(make):
    with pytest.raises(UserError, match=r"TreeEncoder has no option 'chanels' \(did you mean 'channels'\?\)"):
        make(chanels=4)


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
def test_a_setting_that_is_no_number_in_range_is_refused(make, value: float):
    for name in ("leaf_dropout", "composition_dropout", "init_range"):
        with pytest.raises(UserError, match=name):
            make(**{name: value})
    with pytest.raises(UserError, match="dropout"):
        TreeDecoder(4, dropout=value)


def test_weights_start_as_published(make):
    encoder = make(channels=32, channel_size=8, init_range=0.25)[0]
    table, bound = encoder.embedding.weight, 1 / math.sqrt(16)
    assert 0.24 < table.abs().max() <= 0.25
    # A uniform variable on [-r, r] has variance r^2 / 3; with 40,000 draws its estimate is off by less than 3%.
    assert table.var().item() == pytest.approx(0.25**2 / 3, rel=0.03)
    assert 0 < encoder.composition.linear.weight.abs().max() <= bound
    assert 0 < encoder.composition.linear.bias.abs().max() <= bound


def test_an_untrained_copy_starts_like_a_new_encoder(make, sentences: list[str]):
    model = make(init_range=0.05)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(3.0)
    before = model.encode(sentences)
    fresh = untrained(model, seed=5)
    assert fresh[0].embedding.weight.abs().max() <= 0.05
    assert fresh[0].composition.linear.weight.abs().max() <= 1 / math.sqrt(8)
    again = untrained(model, seed=5)
    np.testing.assert_array_equal(fresh.encode(sentences), again.encode(sentences))
    assert not np.array_equal(untrained(model, seed=6).encode(sentences), fresh.encode(sentences))
    np.testing.assert_array_equal(model.encode(sentences), before)


def spans(num_tokens: int, left: Sequence[int], right: Sequence[int]) -> list[tuple[int, int]]:
    reached = [(i, i + 1) for i in range(num_tokens)]
    for one, other in zip(left, right, strict=True):
        reached.append((reached[one][0], reached[other][1]))
    return reached[num_tokens:]


def test_trees_over_words_have_one_leaf_a_word(make):
    words = [["the", "committee", "approved", "budgets"], [], ["rain"], ["a", "", "cat"]]
    trees = make(structure="right").eval()[0].word_trees(words)
    assert [spans(len(w), *(side.tolist() for side in tree)) for w, tree in zip(words, trees, strict=True)] == [
        [(2, 4), (1, 4), (0, 4)],
        [],
        [],
        [(1, 3), (0, 3)],
    ]
    assert make()[0].word_trees([]) == []


def test_trees_over_words_merge_the_words_embeddings(make):
    model = make()
    words = ["the", "committee", "approved", "the", "motor"]
    ((left, right),) = model[0].word_trees([words])
    with torch.no_grad():
        expected = model[0].compose(torch.from_numpy(model.encode(words)), np.array([5])).trees
    assert left.tolist() == expected.left.tolist()
    assert right.tolist() == expected.right.tolist()


def test_trees_over_words_leave_the_model_in_its_mode(make):
    for is_training in (True, False):
        encoder = make().train(is_training)[0]
        first, again = encoder.word_trees([["the", "cat", "sleeps"]]), encoder.word_trees([["the", "cat", "sleeps"]])
        encoder.tree_statistics(["the cat"])
        assert encoder.training == is_training
        assert [side.tolist() for side in first[0]] == [side.tolist() for side in again[0]]


@pytest.mark.parametrize(
    ("structure", "expected"),
    [
        # Seven one-letter words: five merges of a phrase and a leaf beside the one of two leaves.
        ("left", {"depth": 6.0, "left_share": 1.0, "right_share": 0.0, "branching_entropy": 0.0}),
        ("right", {"depth": 6.0, "left_share": 0.0, "right_share": 1.0, "branching_entropy": 0.0}),
        # (((0 1) (2 3)) ((4 5) 6)): of three merges that are not of two leaves one is left-leaning, two join phrases.
        (
            "balanced",
            {
                "depth": 3.0,
                "left_share": 1 / 3,
                "right_share": 0.0,
                "branching_entropy": math.log(3) / 3 + 2 / 3 * math.log(1.5),
            },
        ),
    ],
)
def test_tree_statistics_of_known_trees(make, structure: str, expected: dict[str, float]):
    text = "a a a a a a a"
    model = make(structure=structure)
    assert int(model.preprocess([text])["attention_mask"].sum()) == 7
    assert model[0].tree_statistics([text, text]) == pytest.approx(expected)


def test_tree_statistics_of_nothing_are_zero(make):
    nothing = {"depth": 0.0, "left_share": 0.0, "right_share": 0.0, "branching_entropy": 0.0}
    for texts in ([], [""], ["a"], ["a a"]):
        statistics = make()[0].tree_statistics(texts)
        assert {**statistics, "depth": 0.0} == nothing
        assert statistics["depth"] == float(texts == ["a a"])


def test_a_model_that_starts_near_the_sum_gives_a_sentence_nearly_the_sum_of_its_tokens(make, sentences: list[str]):
    def distance_from_sum(composition_init: str) -> float:
        encoder = make(composition_init=composition_init)[0]
        with torch.no_grad():
            features = encoder(encoder.preprocess(sentences))
        sums = features["token_embeddings"].sum(dim=1)
        return float(1 - torch.nn.functional.cosine_similarity(features["sentence_embedding"], sums).mean())

    assert distance_from_sum("sum") < distance_from_sum("uniform")


def test_a_decoder_that_starts_near_the_sum_hands_both_children_nearly_their_parent():
    torch.manual_seed(0)
    parent = torch.randn(50, 8)
    for init, is_near in (("sum", True), ("uniform", False)):
        with torch.no_grad():
            children = TreeDecoder(4, init=init).decomposition(parent)
        assert all(bool((torch.cosine_similarity(child, parent) > 0.5).all()) == is_near for child in children)

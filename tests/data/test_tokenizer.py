import logging
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from selfsent.data import tokenizer as tokenizer_module
from selfsent.data.tokenizer import load_tokenizer, train_tokenizer, vocabulary_report
from selfsent.errors import UserError
from selfsent.modules.fasttext_encoder import word_tokenizer

WORLD = [
    "Don't run (quickly) over the re-entrant lazy dog, e.g. 3.5% of Zürich, ok?",
    "我爱北京天安门。",
    "私は東京に住んでいます。",
    "ฉันรักภาษาไทยมาก",
    "שלום עולם, مرحبا بالعالم!",
    "हिन्दी एक भाषा है।",
] * 3


@pytest.fixture(scope="module")
def world() -> PreTrainedTokenizerFast:
    return train_tokenizer(WORLD, vocab_size=600)


def test_special_tokens_come_first_and_nothing_is_added_around_a_text(world: PreTrainedTokenizerFast) -> None:
    assert (world.pad_token, world.pad_token_id, world.unk_token, world.unk_token_id) == ("[PAD]", 0, "[UNK]", 1)
    assert world("dog")["input_ids"] == world("dog", add_special_tokens=False)["input_ids"]
    assert not {0, 1} & set(world("dog")["input_ids"])


def test_a_batch_is_padded_with_a_mask(world: PreTrainedTokenizerFast) -> None:
    batch = world(["dog", "lazy dog"], padding=True)
    assert [sum(row) for row in batch["attention_mask"]] == [1, 2]
    assert batch["input_ids"][0][1] == 0


@pytest.mark.parametrize("text", WORLD[:6])
def test_every_script_is_known_and_decodes_to_readable_text(world: PreTrainedTokenizerFast, text: str) -> None:
    ids = world(text)["input_ids"]
    assert 1 not in ids
    assert world.decode(ids) == text.lower()


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_no_text_at_all_makes_it_fail(world: PreTrainedTokenizerFast, text: str) -> None:
    world.decode(world(text)["input_ids"])


def test_compatibility_forms_and_case_are_folded(world: PreTrainedTokenizerFast) -> None:
    assert world("\uff24\uff4f\uff47 ﬁ")["input_ids"][:1] == world("dog")["input_ids"]
    cased = train_tokenizer(["Dog dog"] * 5, lowercase=False)
    assert cased.tokenize("Dog dog") == ["▁Dog", "▁dog"]


def test_a_word_is_the_same_piece_behind_a_bracket() -> None:
    tokenizer = train_tokenizer(["the dog (dog) [dog]."] * 5)
    assert tokenizer.tokenize("the dog (dog) [dog].") == ["▁the", "▁dog", "▁(", "▁dog", "▁)", "▁[", "▁dog", "▁]", "▁."]


def test_no_piece_goes_across_words_or_punctuation() -> None:
    tokenizer = train_tokenizer(["of the end. of the end."] * 100)
    pieces = set(tokenizer.get_vocab()) - {"[PAD]", "[UNK]"}
    assert {"▁of", "▁the", "▁end", "▁."} <= pieces
    assert all("▁" not in piece[1:] and ("." not in piece or piece in {".", "▁."}) for piece in pieces)


def test_the_vocabulary_is_as_small_as_the_corpus() -> None:
    tokenizer = train_tokenizer(["abc abc", "xyz"])
    assert set(tokenizer.get_vocab()) == {"[PAD]", "[UNK]", *"▁abcxyz", "▁a", "▁ab", "▁abc"} or (
        "▁abc" in tokenizer.get_vocab() and "xyz" not in tokenizer.get_vocab()
    )


def test_of_a_large_corpus_a_sample_decides_on_the_pieces_and_all_of_it_on_the_characters(monkeypatch) -> None:
    texts = [f"{word} {word} number" for word in map(spelt, range(2000))] + ["\N{GREEK SMALL LETTER OMEGA}"]
    whole = train_tokenizer(texts, vocab_size=3000)
    monkeypatch.setattr(tokenizer_module, "MOST_CHARACTERS", 2000 * 8)  # about half
    sampled = train_tokenizer(texts, vocab_size=3000)
    backwards = train_tokenizer(texts[::-1], vocab_size=3000)
    assert sampled.get_vocab() == backwards.get_vocab()
    assert len(sampled) < 0.7 * len(whole)
    assert len(sampled.tokenize("number")) == 1
    assert 1 not in sampled("\N{GREEK SMALL LETTER OMEGA}")["input_ids"]


def spelt(number: int) -> str:
    """A word of its own for each number, of which no pair of letters is frequent."""
    return "".join(chr(ord("a") + int(digit)) for digit in f"{number * 7919 % 10007:04d}")


def test_no_room_is_made_for_more_pieces_than_there_can_be() -> None:
    assert len(train_tokenizer(["some words", "some more"], vocab_size=10**17)) < 40


def test_the_rarest_characters_of_a_large_alphabet_become_unknown() -> None:
    common = "".join(chr(0x4E00 + number) for number in range(400))
    tokenizer = train_tokenizer([common] * 200 + ["\u9fa0"], vocab_size=2000)
    assert tokenizer.tokenize("\u9fa0")[-1] == "[UNK]"
    assert 1 not in tokenizer(common)["input_ids"]


def test_a_small_corpus_keeps_even_its_rarest_letter() -> None:
    tokenizer = train_tokenizer(["the cat sat on the mat " * 500, "zebra"])
    assert 1 not in tokenizer("zebra")["input_ids"]


def test_an_iterator_read_once_gives_the_same_as_a_list() -> None:
    once = train_tokenizer(iter(WORLD), vocab_size=600)
    assert once.backend_tokenizer.to_str() == train_tokenizer(WORLD, vocab_size=600).backend_tokenizer.to_str()


def test_another_process_trains_the_same_tokenizer(world: PreTrainedTokenizerFast) -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from test_tokenizer import WORLD, train_tokenizer;"
        "sys.stdout.reconfigure(encoding='utf8');"
        "print(train_tokenizer(WORLD, vocab_size=600).backend_tokenizer.to_str(), end='')"
    )
    command = [sys.executable, "-c", program, str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, encoding="utf8", check=True)
    fresh = Tokenizer.from_str(done.stdout)
    assert fresh.to_str() == train_tokenizer(WORLD, vocab_size=600).backend_tokenizer.to_str()
    assert fresh.get_vocab() == world.get_vocab()


def test_it_is_the_same_after_saving(world: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    world.save_pretrained(tmp_path)
    for path in (tmp_path, tmp_path / "tokenizer.json"):
        loaded = load_tokenizer(path)
        for text in WORLD:
            assert loaded(text)["input_ids"] == world(text)["input_ids"]
    assert load_tokenizer(tmp_path).pad_token_id == 0


@pytest.mark.parametrize(
    ("texts", "options", "text"),
    [
        ([], {}, "the source holds no text"),
        (["", "  "], {}, "the source holds no text"),
        (WORLD, {"vocab_size": 30}, r"vocab_size must be at least \d+, got 30"),
        (WORLD, {"min_frequency": 0}, "min_frequency must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_trained_is_explained(texts: list[str], options: dict[str, int], text: str) -> None:
    with pytest.raises(UserError, match=text):
        train_tokenizer(texts, **options)


@pytest.mark.parametrize(("vocabulary", "pad"), [({"a": 0}, "[PAD]"), ({"<pad>": 0, "a": 1}, "<pad>")])
def test_a_ready_tokenizer_without_padding_gets_some(tmp_path: Path, vocabulary: dict[str, int], pad: str) -> None:
    Tokenizer(models.WordLevel(vocabulary, unk_token="a")).save(str(tmp_path / "tokenizer.json"))
    tokenizer = load_tokenizer(tmp_path / "tokenizer.json")
    assert tokenizer.pad_token == pad
    assert tokenizer.pad_token_id == tokenizer.get_vocab()[pad]


def test_what_is_no_tokenizer_is_explained(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    for path, text in (
        (tmp_path / "nope", "does not exist"),
        (tmp_path / "tokenizer.json", "cannot open a tokenizer"),
    ):
        with pytest.raises(UserError, match=text) as raised:
            load_tokenizer(path)
        assert "\n" not in str(raised.value)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="cannot open a tokenizer"):
        load_tokenizer(tmp_path / "empty")


def test_a_report_counts_unknown_tokens_and_pieces() -> None:
    tokenizer = train_tokenizer(["aa bb"] * 5)
    assert vocabulary_report(tokenizer, ["aa bb", "aa 7"]) == {
        "vocab_size": len(tokenizer),
        "num_texts": 2,
        "unknown_share": 1 / 5,  # ▁aa, ▁bb; ▁aa, the marker, [UNK]
        "pieces_per_word": 5 / 4,
    }


def test_a_report_needs_a_text() -> None:
    with pytest.raises(UserError, match="without texts"):
        vocabulary_report(train_tokenizer(["aa"]), [])


def test_a_large_vocabulary_of_our_own_is_not_taken_for_a_faulty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    of_transformers = logging.getLogger("transformers.tokenization_utils_tokenizers")
    monkeypatch.setattr(of_transformers, "warning", lambda text, *_: warnings.append(text))
    word_tokenizer([f"word{number}" for number in range(100_001)]).save_pretrained(str(tmp_path))
    (tmp_path / "config.json").write_text('{"dimension": 2}', encoding="utf8")
    tokenizer = load_tokenizer(tmp_path)
    assert warnings == []
    tokenizer.save_pretrained(str(tmp_path / "again"))
    assert "mistral" not in (tmp_path / "again" / "tokenizer_config.json").read_text("utf8")

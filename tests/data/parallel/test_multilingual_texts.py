"""Tokenizers of many languages: small ones are heard, alpha matters, and a poor fit is told."""

from tests.modules.transformer_models import open_bert, write_bert

from selfsent.data.parallel.multilingual_texts import callable_tokenizer, train_shared_tokenizer, vocabulary_notes

ENGLISH = [("en", f"the quick brown fox number {number} jumps over lazy dogs") for number in range(400)]
FINNISH = [("fi", "nopea ruskea kettu hyppää laiskojen koirien yli")] * 4


def texts():
    return iter([*ENGLISH, *FINNISH])


def pieces(alpha: float) -> int:
    tokenizer = train_shared_tokenizer(texts, vocab_size=110, alpha=alpha)
    return len(tokenizer.tokenize(FINNISH[0][1]))


def test_drawn_alike_a_small_language_gets_pieces_of_its_own():
    assert pieces(0.0) < pieces(1.0)


def test_the_tokenizer_of_a_transformer_marks_both_ends_and_has_a_mask():
    tokenizer = train_shared_tokenizer(texts, vocab_size=330, alpha=0.3, for_transformer=True)
    ids = tokenizer("quick fox")["input_ids"]
    assert (ids[0], ids[-1]) == (tokenizer.cls_token_id, tokenizer.sep_token_id)
    assert tokenizer.mask_token_id is not None


def test_unknown_scripts_and_cut_texts_are_told_by_language(tmp_path):
    tokenizer = open_bert(write_bert(tmp_path / "bert", [text for _, text in ENGLISH])).tokenizer
    notes = vocabulary_notes(tokenizer, lambda: iter([ENGLISH[0], ("el", "η γρήγορη αλεπού")]), max_seq_length=8)
    assert "pieces a word: en" in notes[0]
    assert notes[1].startswith("texts longer than 8 tokens are cut: en 100.0%, el 0.0%")
    assert "warning" in notes[2]
    assert "el 100%" in notes[2]
    assert "en" not in notes[2].partition("unknown tokens:")[2].partition(";")[0]


def test_a_bare_tokenizer_is_made_callable(tiny_static_model):
    assert callable_tokenizer(tiny_static_model[0].tokenizer)("a cat")["input_ids"]

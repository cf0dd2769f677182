"""Tokenizers for masked language models: a mask token, and one before and after each text."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from selfsent.data.tokenizer import MOST_PIECES, load_tokenizer, train_tokenizer
from selfsent.errors import UserError

BERT_TOKENS = {"cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
"""What BERT's tokenizer has beyond ``[PAD]`` and ``[UNK]``."""

ROBERTA_TOKENS = {
    "bos_token": "<s>",
    "cls_token": "<s>",
    "pad_token": "<pad>",
    "eos_token": "</s>",
    "sep_token": "</s>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
}
"""RoBERTa's, in the order of their ids."""

_MIN_FREQUENCY = 2
_TEXTS_A_BATCH = 1000


def train_bert_tokenizer(texts: Iterable[str], *, vocab_size: int, lowercase: bool = True) -> PreTrainedTokenizerBase:
    """Train a tokenizer for BERT: that of the tree models, with ``[CLS]``, ``[SEP]`` and ``[MASK]`` added.

    Differs: byte-pair encoding, where BERT has word pieces. The trainer of word pieces breaks ties by chance, so a
    resumed run would get another vocabulary; and the tree models can be compared on the same pieces.

    Args:
        texts: The corpus.
        vocab_size: Most pieces, special tokens included.
        lowercase: Fold case.

    Raises:
        UserError: There is no text, or ``vocab_size`` has no room for the alphabet.
    """
    tokenizer = train_tokenizer(texts, vocab_size=vocab_size - len(BERT_TOKENS), lowercase=lowercase)
    return with_mask_token(tokenizer)


def train_roberta_tokenizer(
    texts: Iterable[str], *, vocab_size: int, lowercase: bool = True
) -> PreTrainedTokenizerBase:
    """Train a tokenizer for RoBERTa: byte-pair encoding of bytes, so that no text is unknown.

    Args:
        texts: The corpus, read once.
        vocab_size: Most pieces, at least 261: bytes and special tokens.
        lowercase: Fold case (RoBERTa does not).

    Raises:
        UserError: There is no text, or ``vocab_size`` has no room for the bytes.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    special = list(dict.fromkeys(ROBERTA_TOKENS.values()))
    if vocab_size < len(alphabet) + len(special):
        raise UserError(
            f"vocab_size must be at least {len(alphabet) + len(special)} (bytes and special tokens), got {vocab_size}"
        )
    tokenizer = Tokenizer(models.BPE())
    if lowercase:
        tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=min(vocab_size, MOST_PIECES),
        min_frequency=_MIN_FREQUENCY,
        special_tokens=special,
        initial_alphabet=alphabet,
        show_progress=False,
    )
    tokenizer.train_from_iterator(_batches(texts), trainer=trainer)
    names = ["input_ids", "attention_mask"]
    return with_mask_token(
        PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_input_names=names, **ROBERTA_TOKENS)
    )


def open_masked_lm_tokenizer(path: str | Path) -> PreTrainedTokenizerBase:
    """Open a ready tokenizer, such as a tree model's, and give it what a masked language model needs.

    Args:
        path: A ``tokenizer.json``, or a folder that holds a tokenizer.

    Raises:
        UserError: There is no tokenizer at ``path``, or it cannot be completed.
    """
    tokenizer = load_tokenizer(path)
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise UserError(f"the tokenizer at {path} has no tokenizer.json; convert it to a fast one, or train one")
    return with_mask_token(tokenizer)


def with_mask_token(tokenizer: PreTrainedTokenizerFast) -> PreTrainedTokenizerBase:
    """Give a tokenizer the tokens of BERT that it lacks, in place, and have each text begin and end with one."""
    missing = {role: token for role, token in BERT_TOKENS.items() if getattr(tokenizer, role) is None}
    if missing:
        tokenizer.add_special_tokens(missing)  # pyright: ignore[reportArgumentType] roles are keys of its own table
    if tokenizer("")["input_ids"]:
        return tokenizer
    begin, end = str(tokenizer.cls_token), str(tokenizer.sep_token)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}",
        pair=f"{begin} $A {end} $B {end}",
        special_tokens=[(begin, int(tokenizer.cls_token_id)), (end, int(tokenizer.sep_token_id))],  # pyright: ignore[reportArgumentType] both are set above
    )
    return tokenizer


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(texts)
    while batch := list(islice(iterator, _TEXTS_A_BATCH)):
        yield batch

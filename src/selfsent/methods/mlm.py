"""Masked language modelling: a small BERT or RoBERTa from scratch, tokenizer included, or a base that learns on.

Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding", NAACL 2019 (arXiv
1810.04805); Liu et al., "RoBERTa", 2019 (arXiv 1907.11692); Turc et al., "Well-Read Students Learn Better", 2019 (arXiv
1908.08962), for the smallest sizes.

==========================================  ================================  ==========================================
of the papers                               object                            file
==========================================  ================================  ==========================================
masked LM (BERT, Section 3.1, Task 1)       ``MaskedLanguageModelingLoss``    ``losses/masked_language_modelling.py``
masks drawn anew (RoBERTa, Section 4.1)     ``MaskedLanguageModel.forward``   ``losses/masked_language_modelling.py``
full sentences (RoBERTa, Section 4.2)       ``PackedTexts``                   ``data/packed_texts.py``
byte-pair encoding of bytes (RoBERTa 4.4)   ``train_roberta_tokenizer``       ``data/masked_lm_tokenizer.py``
BERT-Tiny, 2 layers of 128 (Turc et al.)    ``MlmConfig``                     this file
==========================================  ================================  ==========================================

The folder opens both ways: ``SentenceTransformer(folder)`` pools its token states by their mean, and
``AutoModelForMaskedLM.from_pretrained(folder)`` has the trained head, for the view ``masked-lm``, SimCSE's auxiliary
objective (both take it from ``--base``) and for going on with ``mlm --base folder``.

Where we differ:

* No prediction of the next sentence (as RoBERTa), unless ``next_sentence``: then a row is two segments of half the
  length, the second the next row of the source or another, and BERT's two losses are added.
* BERT's vocabulary is made by byte-pair encoding, not of word pieces; ``data/masked_lm_tokenizer.py`` says why.
* As many positions as ``max_seq_length``: an unlearned one would only look usable.
* Rate, batch and epochs are ours, for models this small.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any, Literal, cast

from sentence_transformers import SentenceTransformer
from transformers import AutoConfig, AutoModel, PreTrainedModel, PreTrainedTokenizerBase

from selfsent.data.arrow_file import materialise
from selfsent.data.following_texts import COLUMNS, FollowingTexts
from selfsent.data.masked_lm_tokenizer import open_masked_lm_tokenizer, train_bert_tokenizer, train_roberta_tokenizer
from selfsent.data.packed_texts import PackedTexts
from selfsent.data.tokenizer import TokenizerOptions, vocabulary_report
from selfsent.data.training_rows import TrainingRows, texts_of
from selfsent.errors import UserError
from selfsent.loading import FROM_SCRATCH
from selfsent.losses.masked_language_modelling import MaskedLanguageModelingLoss, MaskingOptions
from selfsent.methods.method import Method, split_for
from selfsent.methods.starting_model import open_transformer, tokenizer_of
from selfsent.modules.scratch_encoders import WidthOptions
from selfsent.options import option
from selfsent.training.run import Ingredients, Run, RunData

Architecture = Literal["bert", "roberta"]

_OF_A_NEW_MODEL = ("architecture", "hidden_size", "num_layers", "num_heads", "vocab_size", "lowercase", "tokenizer")
_TEXTS_IN_VOCABULARY_REPORT = 5000


@dataclass(frozen=True, kw_only=True)
class MlmConfig(MaskingOptions, WidthOptions, TokenizerOptions):
    """Options of ``mlm``; the default is the size of BERT-Tiny.

    Args:
        architecture: ``bert`` or ``roberta``.
        hidden_size: Width of the token states (BERT-Tiny: 128).
        num_layers: Layers (BERT-Tiny: 2).
        num_heads: Attention heads; they divide the width (BERT-Tiny: 2).
        vocab_size: Pieces of the tokenizer, at most (ours: 16,000; BERT's 30,522 are 3.9M weights at width 128).
        tokenizer: Path of a ready tokenizer, such as a tree model's; ``none`` trains one on the corpus.
        max_seq_length: Tokens of a row and positions of a new model (ours: 64); a base keeps the limit it has.
        packed: Whether neighbouring texts are joined to rows of full length; else each text is a row.
        next_sentence: Whether BERT also learns to tell if one piece of the source follows another (BERT, Task 2);
            meaningful where rows stand in the order of documents.
    """

    architecture: Architecture = "bert"
    num_layers: int = option(2, at_least=1)
    vocab_size: int = option(16_000, at_least=1)
    max_seq_length: int = option(64, at_least=2)
    packed: bool = True
    next_sentence: bool = False


def training(config: MlmConfig) -> dict[str, Any]:  # noqa: ARG001 the same for every size
    """Training arguments for small models: linear decay after a tenth of warm-up; weight decay and clipping as BERT."""
    return {
        "learning_rate": 1e-3,
        "per_device_train_batch_size": 64,
        "num_train_epochs": 3,
        "lr_scheduler_type": "linear",
        "warmup_steps": 0.1,
        "weight_decay": 0.01,
        "max_grad_norm": 1.0,
        "dataloader_drop_last": True,
    }


def build(run: Run[MlmConfig], data: RunData) -> Ingredients:
    """Make or open the transformer, write the rows to disk, and put model and loss together.

    Raises:
        UserError: An option is out of range or belongs to a new model where a base was named, the base cannot be used,
            or the data has no text.
    """
    config = run.config
    folder = None if run.base is not None else new_transformer(run, data)
    model = open_transformer(
        _checked_base(config, run.base) if folder is None else str(folder),
        pooling="mean",
        max_seq_length=config.max_seq_length,
        device=run.device,
    )
    tokenizer = tokenizer_of(model)
    loss = MaskedLanguageModelingLoss(
        model, base=run.base, next_sentence=config.next_sentence, **asdict(config.part(MaskingOptions))
    )
    # Of two segments in a row, each has half of it.
    num_tokens = max(config.max_seq_length // 2, 3) if config.next_sentence else config.max_seq_length
    limits = {"tokenizer": tokenizer, "max_seq_length": num_tokens}
    rows = TrainingRows(lambda: texts_of(data.source), ("text",), **limits)
    packed = PackedTexts(rows, **limits)
    stretches = packed if config.packed else rows
    following = FollowingTexts(stretches, seed=run.seed)
    place = run.corpus_folder / "corpus.arrow"
    if config.next_sentence:
        dataset = materialise(following, place, columns=COLUMNS)
    else:
        dataset = materialise(stretches, place, columns=["text"])
    dataset, heldout = split_for(data, dataset)
    if heldout is not None and config.next_sentence:
        heldout = heldout.select_columns(["text", "follower"])
    notes = [*rows.notes(), *([packed.note()] if config.packed else [])]
    notes += [*([following.note()] if config.next_sentence else []), _vocabulary(tokenizer, data), _size(model)]
    return Ingredients(
        model=model, loss=loss, dataset=dataset, heldout=heldout, notes=notes, max_seq_length=config.max_seq_length
    )


def new_transformer(run: Run[MlmConfig], data: RunData) -> Path:
    """Write an untrained transformer and its tokenizer, trained on the source, into the folder of the run.

    Raises:
        UserError: An option is out of range, or the tokenizer cannot be had.
    """
    config = run.config
    if config.hidden_size % config.num_heads:
        raise UserError(f"num_heads={config.num_heads} does not divide hidden_size={config.hidden_size}")
    tokenizer = _tokenizer(config, data.source.texts())
    settings: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": config.hidden_size,
        "num_hidden_layers": config.num_layers,
        "num_attention_heads": config.num_heads,
        "intermediate_size": 4 * config.hidden_size,
        "max_position_embeddings": config.max_seq_length,
        "pad_token_id": tokenizer.pad_token_id,
    }
    if config.architecture == "roberta":  # its positions count from the padding id on
        settings["max_position_embeddings"] += settings["pad_token_id"] + 1
        settings |= {
            "type_vocab_size": 1,
            "bos_token_id": tokenizer.cls_token_id,
            "eos_token_id": tokenizer.sep_token_id,
        }
    folder = run.corpus_folder / "untrained"
    folder.mkdir(parents=True, exist_ok=True)
    AutoModel.from_config(AutoConfig.for_model(config.architecture, **settings)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _tokenizer(config: MlmConfig, texts: Iterable[str]) -> PreTrainedTokenizerBase:
    if config.tokenizer is not None:
        return open_masked_lm_tokenizer(config.tokenizer)
    train = {"bert": train_bert_tokenizer, "roberta": train_roberta_tokenizer}[config.architecture]
    return train(texts, vocab_size=config.vocab_size, lowercase=config.lowercase)


def _checked_base(config: MlmConfig, base: str | None) -> str:
    """The base, after seeing to it that no option contradicts what it already is."""
    if base is None or base in FROM_SCRATCH:
        raise UserError(
            f"mlm trains a transformer (received --base {base}); name one, or leave --base out for a new one"
        )
    defaults = {field.name: field.default for field in fields(config)}
    changed = [name for name in _OF_A_NEW_MODEL if getattr(config, name) != defaults[name]]
    if changed:
        raise UserError(f"{', '.join(changed)} is the base's own with --base {base}; leave it out")
    return base


def _vocabulary(tokenizer: Any, data: RunData) -> str:
    report = vocabulary_report(tokenizer, islice(data.source.texts(), _TEXTS_IN_VOCABULARY_REPORT))
    return (
        f"vocabulary of {report['vocab_size']:,} pieces, {report['pieces_per_word']:.2f} pieces a word,"
        f" {100 * report['unknown_share']:.3f}% of tokens unknown"
    )


def _size(model: SentenceTransformer) -> str:
    body = cast("PreTrainedModel", model[0].model)
    num_weights = sum(parameter.numel() for parameter in body.parameters())
    num_in_table = sum(parameter.numel() for parameter in body.get_input_embeddings().parameters())
    return f"{num_weights:,} weights, {num_in_table:,} of them in the embedding table"


MLM = Method(
    name="mlm",
    summary="a small BERT or RoBERTa from scratch on raw text, or a base that learns on (NAACL 2019)",
    config=MlmConfig,
    build=build,
    training=training,
)
"""Masked language modelling alone."""

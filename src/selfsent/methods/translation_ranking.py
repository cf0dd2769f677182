"""Translation ranking, and the language modelling before it: a multilingual sentence encoder from one's own data.

Feng et al., "Language-agnostic BERT Sentence Embedding", ACL 2022 (arXiv 2007.01852); Conneau & Lample, "Cross-lingual
Language Model Pretraining", NeurIPS 2019 (arXiv 1901.07291).

==========================================  ============================  ==============================================
of the papers                               object                        file
==========================================  ============================  ==============================================
ranking with additive margin (Equation 2)   ``InfoNCELoss``, ``margin``   ``losses/info_nce.py``
negatives of all accelerators (3.2)         ``InfoNCELoss``               ``losses/info_nce.py``
larger batches than memory                  ``CachedRanking``             ``losses/translation_ranking.py``
masked LM (Section 3.1)                     ``MaskedLanguageModel``       ``losses/masked_language_modelling.py``
translation LM (3.1; XLM, Section 3.3)      ``joined_features``           ``losses/translation_language_modelling.py``
vocabulary of all languages (XLM, 3.1)      ``train_shared_tokenizer``    ``data/parallel/multilingual_texts.py``
languages in balance (XLM, Section 3.1)     ``drawn_rows``                ``data/parallel/language_sampling.py``
==========================================  ============================  ==============================================

``ranking_weight=0, mlm_weight=1, tlm_weight=1`` pretrains; its folder opens as a masked LM and is the ``--base`` of the
ranking, or of ``multilingual``. All weights above 0 train everything at once.

Where we differ:

* One sum of weighted terms a step, where the papers alternate batches; masked words of texts that have no translation
  are the method ``mlm``'s (on the same base, one after the other).
* Mean pooling instead of the first token's state, which needs a pretrained model to mean anything.
* No stacking of layers while training (LaBSE, Section 3.1).
* The temperature is not stated by the paper (here 0.05).
* Pairs that the suite ``bitext`` holds out are left out of the training, as are sides out of proportion.
"""

from dataclasses import asdict, dataclass
from typing import Any, cast

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Transformer

from selfsent.data.parallel.language_sampling import drawn_rows
from selfsent.data.parallel.multilingual_texts import (
    LanguageOptions,
    callable_tokenizer,
    train_shared_tokenizer,
    vocabulary_notes,
)
from selfsent.data.parallel.parallel_sources import pairs_of
from selfsent.data.parallel.translation_pool import TranslationPool, write_pool
from selfsent.errors import UserError
from selfsent.evaluation.tasks.bitext import is_heldout
from selfsent.losses.translation_ranking import TranslationRankingLoss, TranslationRankingOptions
from selfsent.methods.method import Method, split_for
from selfsent.methods.starting_model import (
    PoolingOptions,
    num_positions,
    open_transformer,
    tokenizer_of,
    training_limit,
)
from selfsent.modules.scratch_encoders import FROM_SCRATCH, EncoderSizes, WidthOptions, untrained_encoder
from selfsent.options import option
from selfsent.training.run import Ingredients, Run, RunData

_COLUMNS = ("source", "target")
_LANGUAGE = "language"


@dataclass(frozen=True, kw_only=True)
class TranslationRankingConfig(TranslationRankingOptions, LanguageOptions, WidthOptions, PoolingOptions):
    """Options of ``translation-ranking``; the defaults of the objective are LaBSE's, the sizes are for one machine.

    Args:
        base: A transformer's folder or hub name, or from scratch ``transformer``, ``tree`` or ``static``; ``--base``
            overrides it.
        pooling: How a base's token states become an embedding (LaBSE: ``cls``); ``mean`` from scratch.
        max_seq_length: Tokens a transformer's training texts are cut to (LaBSE: 64 to 128); a base keeps its limit.
        num_layers: Layers from scratch (LaBSE: 12).
        hidden_size: Width of a transformer from scratch, or of a static embedding (LaBSE: 768).
        num_heads: Attention heads of a transformer from scratch (LaBSE: 12).
        vocab_size: Pieces of the shared tokenizer (LaBSE: 501,153).
    """

    base: str = "transformer"
    max_seq_length: int = option(64, at_least=2)
    num_layers: int = option(2, at_least=1)


def training(config: TranslationRankingConfig) -> dict[str, Any]:  # noqa: ARG001 a base or none, the recipes say
    """Training arguments for small models from scratch (ours; LaBSE: 4,096 pairs a batch, 1e-5, 50,000 steps)."""
    return {
        "learning_rate": 5e-4,
        "per_device_train_batch_size": 128,
        "num_train_epochs": 1,
        "lr_scheduler_type": "linear",
        "warmup_steps": 0.1,
        "weight_decay": 0.01,
        "max_grad_norm": 1.0,
        "dataloader_drop_last": True,
    }


def build(run: Run[TranslationRankingConfig], data: RunData) -> Ingredients:
    """Filter the translations, make or open the model, and put the objectives together.

    Raises:
        UserError: The source holds no translations or none is left, the base cannot be used, or an option is out of
            range.
    """
    config = run.config
    pool = write_pool(
        pairs_of(data.source),
        run.corpus_folder / "pool.arrow",
        is_heldout=is_heldout,
        max_length_ratio=config.max_length_ratio,
    )
    model, tokenizer = _model(run, pool)
    rows, heldout = split_for(data, pool.rows.select_columns([*_COLUMNS, _LANGUAGE]))
    languages = cast("list[str]", rows.select_columns([_LANGUAGE])[:][_LANGUAGE])
    epoch = drawn_rows(rows, languages, alpha=config.language_alpha, columns=_COLUMNS)
    notes = [pool.note(), epoch.note()]
    limit = training_limit(model, config.max_seq_length)
    notes += vocabulary_notes(tokenizer, pool.texts, max_seq_length=limit)
    return Ingredients(
        model=model,
        loss=_loss(run, model),
        dataset=epoch.rows,
        heldout=None if heldout is None else heldout.select_columns(list(_COLUMNS)),
        notes=notes,
        max_seq_length=limit,
    )


def _model(run: Run[TranslationRankingConfig], pool: TranslationPool) -> tuple[SentenceTransformer, Any]:
    """The model and its tokenizer."""
    config = run.config
    base = run.base or config.base
    if base not in FROM_SCRATCH:
        model = open_transformer(base, pooling=config.pooling, max_seq_length=config.max_seq_length, device=run.device)
        return model, callable_tokenizer(tokenizer_of(model))
    tokenizer = train_shared_tokenizer(
        pool.texts,
        vocab_size=config.vocab_size,
        alpha=config.language_alpha,
        lowercase=config.lowercase,
        for_transformer=base == "transformer",
    )
    sizes = EncoderSizes(
        width=config.hidden_size,
        num_layers=config.num_layers,
        num_heads=config.num_heads,
        max_seq_length=config.max_seq_length,
        num_positions=config.max_seq_length * (2 if config.tlm_weight else 1),  # a text and its translation
    )
    folder = run.corpus_folder / "untrained"
    return untrained_encoder(base, tokenizer, sizes, folder=folder, device=run.device), tokenizer


def _loss(run: Run[TranslationRankingConfig], model: SentenceTransformer) -> TranslationRankingLoss:
    config = run.config
    base = run.base or config.base
    if base in ("tree", "static") and (config.mlm_weight or config.tlm_weight):
        raise UserError(f"mlm_weight and tlm_weight need a transformer, and the base is {base}; leave them out")
    return TranslationRankingLoss(
        model,
        base=None if base in FROM_SCRATCH else base,
        max_tokens=_num_positions(model, config),
        **asdict(config.part(TranslationRankingOptions)),
    )


def _num_positions(model: SentenceTransformer, config: TranslationRankingConfig) -> int:
    """Tokens that a text and its translation may have together."""
    first = model[0]
    longest = num_positions(first.model) if isinstance(first, Transformer) else None
    return min(2 * config.max_seq_length, longest or 2 * config.max_seq_length)


TRANSLATION_RANKING = Method(
    name="translation-ranking",
    summary="translations find each other, beside masked and translation LM, from scratch or a base (ACL 2022)",
    config=TranslationRankingConfig,
    build=build,
    training=training,
)
"""Translation ranking with additive margin, and what it is pretrained by."""

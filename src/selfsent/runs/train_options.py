"""What ``selfsent.train`` takes as keywords; written by ``python -m tools.option_types``, not by hand."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict


class TrainOptions(TypedDict, total=False):
    """Options of ``train``: those of a run, then those of the methods, which `selfsent methods NAME` describes."""

    settings: Mapping[str, Any]
    preset: Literal["paper", "released"]
    training: Mapping[str, Any]
    base: str | None
    teacher: str | None
    resume: bool
    overwrite: bool
    seed: int | None
    max_rows: int | None
    columns: Sequence[str | int] | None
    header: bool | None
    on_bad_row: Literal["stop", "skip"]
    data_dir: str | Path | None
    device: str | None
    max_minutes: float | None
    roots: Literal["shared", "separate"]
    weighting: Literal["linear", "log", "inverse", "uniform"]
    theta: float
    temperature: float
    repeats: Literal["negative", "masked", "positive"]
    distance_decay: float
    structure: Literal["induced", "balanced", "right", "left", "random", "given", "attention"]
    parses: str | None
    unparsed: Literal["stop", "skip", "balanced", "right", "left", "random"]
    binarisation: Literal["right", "left"]
    leaf_dropout: float
    composition_dropout: float
    init_range: float
    inducer: Literal["greedy", "beam", "chart"]
    beam_size: int
    channels: int
    channel_size: int
    cell: Literal["affine", "diagonal"]
    context: Literal["none", "neighbours"]
    frequency_weight: float
    composition_init: Literal["uniform", "sum"]
    decomposition_dropout: float
    tied: bool
    tokenizer: str | None
    vocab_size: int
    lowercase: bool
    min_tokens: int
    max_tokens: int
    table_init: Literal["uniform", "cooccurrence", "lsa"]
    window: int | None
    texts_a_passage: int
    spelling: bool
    objective: Literal[
        "contrastive", "cross-entropy", "contrastive-cross-entropy", "joint", "alone", "mse", "cosine", "distribution"
    ]
    dimension: int
    num_layers: int | None
    pooling: Literal["mean", "max", "cls", "mean-first-last", "mean-top2"]
    min_n: int
    max_n: int
    negatives: int
    min_count: int
    buckets: int
    width: int
    parts: str
    token_dropout: float
    token_weights: Literal["idf", "frequency"]
    stems: bool
    language: str | None
    topics: bool
    teacher_cache: str | None
    passage_words: int
    view: str
    lexicon: str | None
    masked_lm: str | None
    translators: str | None
    translations: str | None
    max_seq_length: int
    kept_layers: str
    dropout: float | None
    symmetric: bool
    hard_negative_weight: float
    masked_weight: float
    masked_columns: Literal["first", "all"]
    skip_false_negatives: bool
    head: Literal["training-only", "kept", "none", "mlp"]
    head_init: Literal["uniform", "normal"]
    concatenation: Literal["u,v", "|u-v|", "u*v", "|u-v|,u*v", "u,v,u*v", "u,v,|u-v|", "u,v,|u-v|,u*v"]
    labels: str
    score_range: str
    margin: float
    beta: float
    gamma: float
    detach_target: bool
    reduction: Literal["sum", "mean"]
    encoder: Literal["text-cnn", "mean", "weighted-mean"]
    kernel_sizes: str
    cnn_pooling: Literal["mean", "max"]
    cnn_init: Literal["mean", "uniform"]
    token_frequencies: str | None
    reference_temperature: float
    queue_size: int
    queues: Literal["two", "one", "frozen", "none"]
    enqueue: Literal["before", "after"]
    comparison: Literal["distribution", "contrastive", "vectors"]
    cross_view: bool
    divergence: Literal["kl", "ce"]
    stop_gradient: bool
    reference: Literal["same", "online", "ema"]
    ema_decay: float
    distillation: Literal["cross-view", "mse", "ckd", "congen"]
    share_queues: bool
    bridge: Literal["auto", "none", "pca"]
    hidden_size: int
    num_heads: int
    masked_share: float
    architecture: Literal["bert", "roberta"]
    packed: bool
    next_sentence: bool
    language_alpha: float
    max_length_ratio: float
    max_teacher_texts: int | None
    ranking_weight: float
    mlm_weight: float
    tlm_weight: float
    mini_batch_size: int | None


OPTIONS_OF: Mapping[str, str] = {
    "self-strae": """
roots weighting theta temperature repeats distance_decay structure parses unparsed binarisation leaf_dropout
composition_dropout init_range inducer beam_size channels channel_size cell context frequency_weight composition_init
decomposition_dropout tied tokenizer vocab_size lowercase min_tokens max_tokens table_init window texts_a_passage
spelling objective
""",
    "strae": """
roots weighting theta temperature repeats distance_decay structure parses unparsed binarisation leaf_dropout
composition_dropout init_range inducer beam_size channels channel_size cell context frequency_weight composition_init
decomposition_dropout tied tokenizer vocab_size lowercase min_tokens max_tokens table_init window texts_a_passage
spelling objective
""",
    "banyan": """
structure parses unparsed binarisation leaf_dropout composition_dropout init_range inducer beam_size channels
channel_size cell context frequency_weight composition_init decomposition_dropout tied tokenizer vocab_size lowercase
min_tokens max_tokens table_init window texts_a_passage spelling
""",
    "tree-lstm": """
structure parses unparsed binarisation leaf_dropout composition_dropout init_range decomposition_dropout tied tokenizer
vocab_size lowercase min_tokens max_tokens objective temperature dimension
""",
    "iornn": """
structure parses unparsed binarisation leaf_dropout composition_dropout init_range decomposition_dropout tied tokenizer
vocab_size lowercase min_tokens max_tokens objective temperature dimension
""",
    "bi-lstm": """
tokenizer vocab_size lowercase min_tokens max_tokens dimension init_range tied num_layers pooling leaf_dropout
""",
    "fasttext": """
dimension min_n max_n window negatives min_count buckets lowercase
""",
    "document-contrast": """
tokenizer vocab_size lowercase width parts temperature token_dropout token_weights frequency_weight stems language
topics
""",
    "document-distillation": """
tokenizer vocab_size lowercase teacher teacher_cache passage_words
""",
    "simcse": """
view lexicon masked_lm translators translations pooling max_seq_length num_layers kept_layers dropout temperature
symmetric hard_negative_weight masked_weight masked_columns skip_false_negatives head head_init
""",
    "simcse-sup": """
view lexicon masked_lm translators translations pooling max_seq_length num_layers kept_layers dropout temperature
symmetric hard_negative_weight masked_weight masked_columns skip_false_negatives head head_init
""",
    "sbert-classification": """
pooling max_seq_length num_layers kept_layers concatenation labels
""",
    "sbert-regression": """
pooling max_seq_length num_layers kept_layers score_range
""",
    "sbert-triplet": """
pooling max_seq_length num_layers kept_layers margin
""",
    "sarcse": """
max_seq_length num_layers kept_layers dropout channels temperature weighting theta beta gamma detach_target reduction
view encoder kernel_sizes cnn_pooling cnn_init token_frequencies
""",
    "sct": """
view lexicon masked_lm translators translations pooling max_seq_length num_layers kept_layers dropout temperature
reference_temperature queue_size queues enqueue comparison cross_view divergence reduction stop_gradient reference
ema_decay head base
""",
    "sct-distill": """
teacher teacher_cache view lexicon masked_lm translators translations pooling max_seq_length num_layers kept_layers
dropout temperature reference_temperature queue_size queues enqueue comparison cross_view divergence reduction
stop_gradient reference ema_decay head objective distillation share_queues base bridge
""",
    "mlm": """
tokenizer vocab_size lowercase hidden_size num_heads masked_share architecture num_layers max_seq_length packed
next_sentence
""",
    "multilingual": """
teacher teacher_cache pooling max_seq_length num_layers kept_layers hidden_size num_heads language_alpha
max_length_ratio vocab_size lowercase base objective bridge max_teacher_texts temperature reference_temperature
queue_size
""",
    "translation-ranking": """
pooling hidden_size num_heads language_alpha max_length_ratio vocab_size lowercase temperature margin masked_share
ranking_weight mlm_weight tlm_weight mini_batch_size base max_seq_length num_layers
""",
}
"""Names of the options of each method, with spaces between them."""

"""SARCSE: contrastive learning whose sentence embeddings must be able to rebuild the states of rare tokens.

Liu, Shang, Feng, Zheng & Ma, "Self-Adaptive Reconstruction with Contrastive Learning for Unsupervised Sentence
Embeddings", 2024 (arXiv 2402.15153).

==========================================  ================================  ==========================================
of the paper                                object                            file
==========================================  ================================  ==========================================
TextCNN of kernels 3, 4, 5, merging CNN     ``TextCNN``                       ``modules/text_cnn.py``
mirrored decoder of transposed CNNs         ``TextCNNDecoder``                ``modules/text_cnn_decoder.py``
self-adaptive reconstruction loss           ``token_errors``                  ``losses/token_reconstruction.py``
contrast of two dropout views, the total    ``TokenReconstructionLoss``       ``losses/token_reconstruction.py``
token frequencies                           ``count_tokens``                  ``counts/token_frequencies.py``
weight by frequency, floor theta            ``token_weights``                 ``counts/token_frequencies.py``
==========================================  ================================  ==========================================

Only parts of the paper could be had. Certain: the kernels, two dropout views, special tokens left out, batches of 64,
one epoch, theta = 0.1, beta and gamma of 2.5e-4. Where we chose (reasons in docs/decisions.md; each is an option):

* The weight of a token is ``max(theta, 1 - f / f_max)``, f its count in the training texts.
* The total is ``InfoNCE + beta * L_rec(X) + gamma * L_rec(X+)``; an error is summed over the values of a state and
  averaged over tokens; token states are no constants where they are the target.
* 256 channels a kernel, ReLU, a merging kernel of 3, the mean over tokens; training texts are cut to 32 tokens.
* Encoder: it starts where the embedding is the mean of the token states, not at random.
* Temperature 0.05 and a rate of 3e-5, as SimCSE has them for batches of 64. The decoder, whose weights are fresh, has a
  rate of its own, 1e-3: at the base's it rebuilds nothing within thousands of sentences.
* ``--base tree`` takes a new tree model in the place of transformer and TextCNN: its leaves are the token states, its
  root the embedding. Not in the paper.
* "Frequency weights without reconstruction" is read as the mean of token states weighted alike (``weighted-mean``).
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

import numpy as np
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.modules import Pooling, WordWeights
from transformers import PreTrainedTokenizerBase

from selfsent.counts.token_frequencies import TokenFrequencies, count_tokens, token_weights
from selfsent.data.arrow_file import materialise
from selfsent.data.training_rows import TrainingRows, texts_of
from selfsent.errors import UserError
from selfsent.losses.info_nce import TemperatureOptions
from selfsent.losses.sentence_pass import width_of
from selfsent.losses.token_reconstruction import ReconstructionOptions, TokenReconstructionLoss
from selfsent.methods.document_views import document_dataset, reads_documents
from selfsent.methods.method import Method, split_for
from selfsent.methods.starting_model import DropoutOptions, from_scratch, open_transformer, tokenizer_of
from selfsent.modules.text_cnn import ChannelOptions, CnnInit, CnnPooling, TextCNN, added_token_ids
from selfsent.modules.text_cnn_decoder import TextCNNDecoder
from selfsent.options import option, shortened, whole_numbers
from selfsent.training.run import Ingredients, Run, RunData

PAPER_BASE = "roberta-base"
FREQUENCIES_FILE = "token-frequencies.json"

SentenceEncoder = Literal["text-cnn", "mean", "weighted-mean"]
"""From token states to the embedding: the paper's, or one without weights of its own for its ablations."""

_TEXTS_A_BATCH = 1000
_NUM_COMMONEST = 3
"""Of the width of a kernel."""


@dataclass(frozen=True, kw_only=True)
class SarcseConfig(ReconstructionOptions, TemperatureOptions, ChannelOptions, DropoutOptions):
    """Options of ``sarcse``; those that could be had of the paper are the paper's.

    Args:
        view: What the two views are: ``repeat`` (paper: dropout alone), or of documents, a name of
            `selfsent.views.document_views.DOCUMENT_VIEWS`.
        encoder: ``text-cnn`` (of ``--base tree``, the tree itself); or for ablations ``mean`` (of all tokens), or
            ``weighted-mean`` by the tokens' weights, which goes with ``beta=0 gamma=0`` only.
        kernel_sizes: Widths of the windows in tokens (paper: 3, 4 and 5).
        cnn_pooling: How the TextCNN pools, ``mean`` or ``max`` (chosen).
        cnn_init: How the TextCNN starts, ``mean`` or ``uniform`` (chosen on STS-B dev).
        token_frequencies: A table of an earlier run; ``none`` counts the training texts.
        max_seq_length: Tokens a training text is cut to (SimCSE: 32); the model reads as many as its base.
    """

    view: Literal["repeat", "document", "crops", "title"] = "repeat"
    encoder: SentenceEncoder = "text-cnn"
    kernel_sizes: str = "3,4,5"
    cnn_pooling: CnnPooling = "mean"
    cnn_init: CnnInit = "mean"
    token_frequencies: str | None = None
    max_seq_length: int = option(32, at_least=2)


def training(config: SarcseConfig) -> dict[str, Any]:
    """The paper's batch and epoch; the rest as SimCSE has it for batches of 64, but for the decoder's rate (chosen)."""
    has_decoder = config.beta > 0 or config.gamma > 0
    return {
        "learning_rate": 3e-5,
        "learning_rate_mapping": {r"^decoder\.": 1e-3} if has_decoder else {},
        "per_device_train_batch_size": 64,
        "num_train_epochs": 1,
        "lr_scheduler_type": "linear",
        "weight_decay": 0.0,
        "max_grad_norm": 1.0,
        "dataloader_drop_last": True,
    }


def build(run: Run[SarcseConfig], data: RunData) -> Ingredients:
    """Open the base, write the texts to disk, count their tokens, and put model and loss together.

    Raises:
        UserError: The base cannot be used, an option is out of range or goes with no other, or the data has no row.
    """
    config = run.config
    _check(run)
    base = _base(run, data)
    heldout, cut = None, _NoLongTexts(base, config.max_seq_length)
    if reads_documents(config):
        dataset, notes = document_dataset(config.view, run, data)
    else:
        rows = TrainingRows(
            lambda: cut.kept(texts_of(data.source)),
            ("text",),
            tokenizer=tokenizer_of(base),
            max_seq_length=config.max_seq_length,
        )
        dataset = materialise(rows, run.corpus_folder / "corpus.arrow", columns=rows.columns)
        dataset, heldout = split_for(data, dataset)
        notes = [*rows.notes(), *cut.notes()]
    frequencies = _frequencies(run, data, dataset, base.tokenizer)
    model = _model(config, base, frequencies, run.device)
    loss = TokenReconstructionLoss(
        model,
        frequencies=frequencies,
        decoder=_decoder(config, width_of(model)) if run.base == "tree" else None,
        max_tokens=config.max_seq_length,
        documents_as_labels=reads_documents(config),
        **asdict(config.part(ReconstructionOptions)),
        **asdict(config.part(TemperatureOptions)),
    )
    notes.append(_note(frequencies, base.tokenizer))
    return Ingredients(
        model=model, loss=loss, dataset=dataset, heldout=heldout, notes=notes, max_seq_length=config.max_seq_length
    )


def _base(run: Run[SarcseConfig], data: RunData) -> SentenceTransformer:
    """The transformer to start from, or a new tree model."""
    if run.base == "tree":
        return from_scratch("tree", data.source.texts(), run.config, device=run.device)
    return open_transformer(
        run.base or PAPER_BASE,
        pooling="mean",
        device=run.device,
        **asdict(run.config.part(DropoutOptions)),
    )


class _NoLongTexts:
    """Leaves out the texts that a tree model cannot cut as a transformer does, and counts them.

    Args:
        base: The model.
        max_tokens: Tokens of the longest text that is kept.
    """

    def __init__(self, base: SentenceTransformer, max_tokens: int) -> None:
        self.tokenizer = None if isinstance(base[0], Transformer) else tokenizer_of(base)
        self.max_tokens = max_tokens
        self.num_long = 0

    def kept(self, rows: Iterable[dict[str, str]]) -> Iterator[dict[str, str]]:
        """Yield the rows that are not too long."""
        self.num_long = 0
        for row in rows:
            if self.tokenizer is not None and len(self.tokenizer(row["text"])["input_ids"]) > self.max_tokens:
                self.num_long += 1
            else:
                yield row

    def notes(self) -> list[str]:
        """Say how many were left out, after a pass."""
        if not self.num_long:
            return []
        return [f"{self.num_long:,} texts of more than {self.max_tokens} tokens are left out; raise max_seq_length"]


def _decoder(config: SarcseConfig, width: int) -> TextCNNDecoder:
    """The paper's decoder, of a model without the encoder that it mirrors."""
    return TextCNNDecoder(
        embedding_dimension=width,
        channels=config.channels,
        kernel_sizes=_kernel_sizes(config),
        max_tokens=config.max_seq_length,
    )


def _check(run: Run[SarcseConfig]) -> None:
    """Refuse what cannot be trained, before any text is read."""
    config = run.config
    if run.base == "static":
        raise UserError(
            f"sarcse rebuilds token states and cannot start from --base {run.base}; name a transformer, such as"
            " roberta-base, or take --base tree"
        )
    if run.base == "tree" and (config.encoder != "text-cnn" or reads_documents(config)):
        raise UserError(
            f"--base tree is its own encoder and reads texts, got encoder={config.encoder} and view={config.view};"
            " leave both out"
        )
    if config.encoder == "weighted-mean" and (config.beta or config.gamma):
        raise UserError(
            f"encoder=weighted-mean puts the weights into the pooling, without reconstruction (received"
            f" beta={config.beta}, gamma={config.gamma}); set beta=0 and gamma=0"
        )
    _kernel_sizes(config)


def _kernel_sizes(config: SarcseConfig) -> list[int]:
    widths = whole_numbers(config.kernel_sizes)
    if widths is None:
        raise UserError(
            "kernel_sizes must be whole numbers with commas between them, such as 3,4,5,"
            f" got {shortened(config.kernel_sizes)}"
        )
    return widths


def _frequencies(
    run: Run[SarcseConfig], data: RunData, dataset: Dataset, tokenizer: PreTrainedTokenizerBase
) -> TokenFrequencies:
    """Read the table that was named, or count the training texts; leave it beside the model."""
    config = run.config
    if config.token_frequencies is not None:
        frequencies = TokenFrequencies.load(config.token_frequencies)
        frequencies.check_tokenizer(tokenizer)
    else:
        texts = data.source.texts() if reads_documents(config) else _texts(dataset)
        frequencies = count_tokens(texts, tokenizer)
    frequencies.save(run.folder / FREQUENCIES_FILE)
    return frequencies


def _texts(dataset: Dataset) -> Iterator[str]:
    for batch in dataset.iter(batch_size=_TEXTS_A_BATCH):
        yield from cast("dict[str, list[str]]", batch)["text"]


def _model(
    config: SarcseConfig, base: SentenceTransformer, frequencies: TokenFrequencies, device: str | None
) -> SentenceTransformer:
    """Put the encoder that was asked for behind the base's transformer."""
    transformer = base[0]
    if config.encoder == "mean" or not isinstance(transformer, Transformer):
        return base
    if config.encoder == "weighted-mean":
        weights = token_weights(frequencies.counts, weighting=config.weighting, floor=config.theta)
        pooling = [word_weights(base.tokenizer, weights), Pooling(width_of(base), pooling_mode="mean")]
        transformer.unpad_inputs = False
        return SentenceTransformer(modules=[transformer, *pooling], device=device)
    cnn = TextCNN(
        embedding_dimension=width_of(base),
        channels=config.channels,
        kernel_sizes=_kernel_sizes(config),
        pooling=config.cnn_pooling,
        init=config.cnn_init,
    )
    return SentenceTransformer(modules=[transformer, cnn], device=device)


def word_weights(tokenizer: PreTrainedTokenizerBase, weights: np.ndarray[Any, Any]) -> WordWeights:
    """Hand a weight for every token id over to the host's module, as constants; tokens the tokenizer adds count 0.

    Args:
        tokenizer: The model's.
        weights: One a token id.
    """
    vocabulary = [str(token) for token in tokenizer.convert_ids_to_tokens(list(range(len(weights))))]
    of_token = dict(zip(vocabulary, weights.tolist(), strict=True))
    of_token |= {vocabulary[token_id]: 0.0 for token_id in added_token_ids(tokenizer)}
    module = WordWeights(vocabulary, of_token)
    module.requires_grad_(requires_grad=False)
    return module


def _note(frequencies: TokenFrequencies, tokenizer: PreTrainedTokenizerBase) -> str:
    """Say what was counted, and which tokens weigh least."""
    commonest = np.argsort(-frequencies.counts, kind="stable")[:_NUM_COMMONEST].tolist()
    named = ", ".join(str(token) for token in tokenizer.convert_ids_to_tokens(commonest))
    return (
        f"token frequencies of {frequencies.num_tokens:,} tokens in {frequencies.num_texts:,} texts (corpus"
        f" {frequencies.corpus_sha256[:12]}, tokenizer {frequencies.tokenizer_sha256[:12]}); the commonest: {named}"
    )


SARCSE = Method(
    name="sarcse",
    summary="contrastive learning that also rebuilds token states, rare ones above all, on raw text (2024)",
    config=SarcseConfig,
    build=build,
    training=training,
    reads_documents=reads_documents,
)
"""SARCSE on any transformer."""

"""fastText: averaged word vectors with sub-words, the baseline of StrAE that knows no structure at all.

Bojanowski et al., "Enriching Word Vectors with Subword Information", TACL 2017 (arXiv 1607.04606); as a baseline in
Opper et al., EMNLP 2023 (arXiv 2305.05588). Trained by gensim, not by the trainer of sentence-transformers.

=========================================  ================================  ===================================
of the paper                               object                            file
=========================================  ================================  ===================================
skip-gram with negative samples            ``gensim.models.FastText``        gensim (extra ``fasttext``)
n-grams of unknown words                   ``ngram_buckets``                 ``modules/fasttext_encoder.py``
sentence vector: mean of word vectors      ``FastTextEncoder``               ``modules/fasttext_encoder.py``
a run without the host's trainer           ``LibraryFit``                    ``training/library_fit.py``
=========================================  ================================  ===================================

Where we differ:

* Units are whole words, split as the tokenizer of ``strae`` splits before it makes pieces; texts of every length count.
* 100,000 buckets for n-grams, where fastText has 2,000,000: 40 MB of vectors and not 800.
* As many epochs as ``strae`` (fastText: 5). One thread, so that a seed gives one result.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer

from selfsent.data.arrow_file import materialise
from selfsent.data.source import Source
from selfsent.errors import UserError
from selfsent.methods.method import Method
from selfsent.modules import FastTextEncoder
from selfsent.modules.fasttext_encoder import NgramOptions, word_tokenizer
from selfsent.options import option
from selfsent.training.fitting import Fitting
from selfsent.training.library_fit import LibraryFit
from selfsent.training.run import Ingredients, Run, RunData

_TEXTS_AT_ONCE = 1000


@dataclass(frozen=True, kw_only=True)
class FastTextConfig(NgramOptions):
    """Options of ``fasttext``; the defaults are those of fastText's skip-gram.

    Args:
        window: Words on either side that are predicted, at most.
        negatives: Drawn words a predicted word is told from.
        min_count: Rarer words have no vector of their own, and are read by their n-grams.
        buckets: Vectors that n-grams share by hash (fastText: 2,000,000).
        lowercase: Whether case is folded.
    """

    window: int = option(5, at_least=1)
    negatives: int = option(5, at_least=1)
    min_count: int = option(5, at_least=1)
    buckets: int = option(100_000, at_least=1)
    lowercase: bool = True


def training(config: FastTextConfig) -> dict[str, Any]:  # noqa: ARG001 every method takes its configuration
    """The only training arguments it follows: the epochs of ``strae``, and the rate of fastText."""
    return {"num_train_epochs": 15, "learning_rate": 0.05}


def build(run: Run[FastTextConfig], data: RunData) -> Ingredients:
    """Write the words of the texts to disk, and make the model that gensim's vectors go into.

    Raises:
        UserError: gensim is not installed, a base model was named, or there is no text.
    """
    config = run.config
    _gensim()
    if run.base is not None:
        raise UserError(f"fasttext is trained from scratch and takes no --base (received {run.base})")
    encoder = FastTextEncoder(
        tokenizer=word_tokenizer(lowercase=config.lowercase),
        num_buckets=config.buckets,
        **asdict(config.part(NgramOptions)),
    )
    model = SentenceTransformer(modules=[encoder], device=run.device)
    rows = SplitTexts(data.source, encoder)
    dataset = materialise(rows, run.corpus_folder / "corpus.arrow", columns=["text"])
    return Ingredients(model=model, loss=FastTextFit(encoder, config), dataset=dataset, notes=[rows.note()])


def _gensim() -> Any:
    """The library's class, or one line on how to get it."""
    try:
        from gensim.models import FastText  # noqa: PLC0415 an optional extra
    except ImportError as error:
        raise UserError("fasttext needs gensim, which is not installed; pip install 'selfsent[fasttext]'") from error
    return FastText


class SplitTexts:
    """The texts of a source as rows, their words with spaces between them; texts without a word are left out.

    Args:
        source: The texts.
        encoder: Says what a word is.

    Raises:
        UserError: After a pass that found no word.
    """

    def __init__(self, source: Source, encoder: FastTextEncoder) -> None:
        self.source, self.encoder = source, encoder
        self.num_texts = self.num_words = 0

    def __iter__(self) -> Iterator[dict[str, str]]:
        for text in self.source.texts():
            words = self.encoder.words(text)
            if words:
                self.num_texts += 1
                self.num_words += len(words)
                yield {"text": " ".join(words)}
        if not self.num_texts:
            raise UserError("no text has a word; give other texts")

    def note(self) -> str:
        """Say how much there is."""
        return f"{self.num_texts:,} texts of {self.num_words:,} words"


class FastTextFit(LibraryFit):
    """Train fastText's skip-gram with gensim, and put its vectors into the model.

    Source: Bojanowski et al., TACL 2017 (arXiv 1607.04606), Section 3.

    Args:
        encoder: The model's module.
        config: The options.
    """

    arguments = frozenset({"num_train_epochs", "learning_rate"})

    def __init__(self, encoder: FastTextEncoder, config: FastTextConfig) -> None:
        super().__init__()
        self.encoder, self.config = encoder, config

    def fit(self, dataset: Dataset, fitting: Fitting) -> int:
        """Train, and return the words seen over all epochs."""
        epochs = float(fitting.arguments["num_train_epochs"])
        if epochs < 1 or not epochs.is_integer():
            raise UserError(f"fasttext trains whole epochs, at least one (received {epochs:g})")
        config = self.config
        library = _gensim()(
            sg=1,
            vector_size=config.dimension,
            window=config.window,
            negative=config.negatives,
            min_count=config.min_count,
            min_n=config.min_n,
            max_n=config.max_n,
            bucket=config.buckets,
            sample=1e-4,
            alpha=float(fitting.arguments["learning_rate"]),
            seed=fitting.seed,
            workers=1,
        )
        sentences = _Sentences(dataset)
        library.build_vocab(corpus_iterable=sentences)
        if not len(library.wv):
            raise UserError(
                f"no word occurs min_count={config.min_count} times; give more text, or a smaller min_count"
            )
        library.train(corpus_iterable=sentences, total_examples=library.corpus_count, epochs=int(epochs))
        tokenizer = word_tokenizer(library.wv.index_to_key, lowercase=config.lowercase)
        self.encoder.take(tokenizer, *map(torch.from_numpy, (library.wv.vectors, library.wv.vectors_ngrams)))
        return library.corpus_total_words * int(epochs)


class _Sentences:
    """The words of each row, read anew at every iteration."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    def __iter__(self) -> Iterator[list[str]]:
        for start in range(0, len(self._dataset), _TEXTS_AT_ONCE):
            yield from (text.split(" ") for text in self._dataset[start : start + _TEXTS_AT_ONCE]["text"])


FASTTEXT = Method(
    name="fasttext",
    summary="baseline of StrAE: averaged word vectors with sub-words, trained by gensim (TACL 2017)",
    config=FastTextConfig,
    build=build,
    training=training,
)
"""Averaged fastText vectors."""

"""The suite ``docs``: the first sentence of a held-out docstring finds the rest of it. It needs no data folder.

Protocol: that of ``retrieval``, on those docstrings of the installed packages that ``docs:train`` leaves out.
Figures depend on which packages are installed: they compare models on one machine, not across machines.
"""

from pathlib import Path

from selfsent.data.docs import DocstringCorpus, open_docstrings
from selfsent.evaluation.ranking import Ranker
from selfsent.evaluation.score import Score
from selfsent.evaluation.sentence_vectors import Encoder
from selfsent.evaluation.suite_options import SuiteOptions
from selfsent.evaluation.tasks.retrieval import Collection, score_collection

TASK = "docs"


def evaluate(model: Encoder | Ranker, data_dir: Path | None, options: SuiteOptions) -> list[Score]:  # noqa: ARG001 a suite's signature
    """Score a model, or a ranker such as BM25, on the held-out docstrings.

    Args:
        model: The model.
        data_dir: Not used.
        options: Uses ``batch_size``, ``num_resamples``, ``seed``.

    Returns:
        nDCG@10; recall@10, recall@100 and MRR@10 beside it.

    Raises:
        UserError: No docstrings are installed, or the embeddings are NaN or constant.
    """
    return [score_collection(model, docs_collection(open_docstrings()), options)]


def docs_collection(corpus: DocstringCorpus) -> Collection:
    """The held-out docstrings as a collection: first sentences ask, the rests of the docstrings answer."""
    items = corpus.heldout_retrieval()
    return Collection(
        name=TASK,
        documents=[item.document for item in items],
        queries=[item.query for item in items],
        judgements=[{position: 1.0} for position in range(len(items))],
    )

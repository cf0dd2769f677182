"""The suite ``retrieval``: finding the documents that answer a query, in collections of the BEIR layout.

Protocol: cosine, exact search over the whole collection; a document is its title and its text with a space between;
queries and documents by ``encode_query`` and ``encode_document`` where the model has them; the mean over all queries
with judgements.

Layout: ``retrieval/{name}/`` with ``corpus.jsonl`` (``_id, title, text``), ``queries.jsonl`` (``_id, text``) and
``qrels/{split}.tsv`` (``query-id, corpus-id, score``).

Source: Thakur et al. 2021 (BEIR).
Differs: a document whose identifier equals the query's is not left out, since identifiers of different kinds coincide.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from selfsent.errors import UserError
from selfsent.evaluation.ranking import TOP_K, Judgements, Order, Ranker, nearest, score_orders
from selfsent.evaluation.records import HubData, Record, find_file, found_file, read_records
from selfsent.evaluation.score import Score
from selfsent.evaluation.sentence_vectors import Encoder, encode_distinct
from selfsent.evaluation.suite_options import SuiteOptions

_DOCUMENT_COLUMNS = ("_id", "text")
_QUERY_COLUMNS = ("_id", "text")
_JUDGEMENT_COLUMNS = ("query-id", "corpus-id", "score")
_HUB = {"scifact": HubData(name="mteb/scifact", revision="d56462d0e63a25450459c4f213e49ffdb866f7f9")}


@dataclass(frozen=True, kw_only=True)
class Collection:
    """Documents, and queries with judgements.

    Args:
        name: Name of the task.
        documents: Titles and texts, in falling order of their identifiers (see ``ranking``); none where a store that
            is scored holds them.
        queries: The judged queries.
        judgements: For each query the relevance of documents, by their position in ``documents``.
        ids: Identifiers of the documents, where they are known.
    """

    name: str
    documents: Sequence[str]
    queries: Sequence[str]
    judgements: Sequence[Judgements]
    ids: Sequence[str] = ()


def evaluate(model: Encoder | Ranker, data_dir: Path | None, options: SuiteOptions) -> list[Score]:
    """Score a model, or a ranker such as BM25, on every collection under ``retrieval/``.

    Args:
        model: The model.
        data_dir: Folder with ``retrieval/``; ``None`` for SciFact from the hub.
        options: Uses ``split``, ``batch_size``, ``num_resamples``, ``seed``.

    Returns:
        nDCG@10 of each collection; recall@10, recall@100 and MRR@10 beside it.

    Raises:
        UserError: A collection is missing or wrong, or the embeddings are.
    """
    if data_dir is None:
        collections = [collection_from_hub(name, options.split) for name in _HUB]
    else:
        collections = [read_collection(folder, options.split) for folder in collection_folders(data_dir)]
    return [score_collection(model, collection, options) for collection in collections]


def collection_folders(data_dir: Path) -> list[Path]:
    """List the collections under ``retrieval/``, by name.

    Raises:
        UserError: There is none.
    """
    root = data_dir / "retrieval"
    folders = sorted(folder for folder in root.iterdir() if folder.is_dir()) if root.is_dir() else []
    if not folders:
        raise UserError(
            f"no collection in {root}; it must hold a folder NAME with corpus.jsonl (_id, title, text), "
            "queries.jsonl (_id, text) and qrels/test.tsv (query-id, corpus-id, score)"
        )
    return folders


def score_collection(model: Encoder | Ranker, collection: Collection, options: SuiteOptions) -> Score:
    """Score a model or a ranker on one collection.

    Raises:
        UserError: The embeddings are NaN or constant.
    """
    orders = rank_documents(model, collection, options)
    return score_orders(
        orders, collection.judgements, task=collection.name, num_resamples=options.num_resamples, seed=options.seed
    )


def rank_documents(model: Encoder | Ranker, collection: Collection, options: SuiteOptions) -> list[Order]:
    """Rank the documents of a collection for each of its queries.

    Raises:
        UserError: The embeddings are NaN or constant.
    """
    if isinstance(model, Ranker):
        return model.rank(collection.queries, collection.documents, top_k=TOP_K)
    documents = encode_distinct(
        model, collection.documents, role="document", batch_size=options.batch_size, what=f"{collection.name} documents"
    )
    queries = encode_distinct(
        model, collection.queries, role="query", batch_size=options.batch_size, what=f"{collection.name} queries"
    )
    return nearest(queries.of(collection.queries), documents.of(collection.documents))


def read_collection(folder: Path, split: str = "test", *, needs_corpus: bool = True) -> Collection:
    """Read a folder of the BEIR layout.

    Args:
        folder: With ``corpus.jsonl``, ``queries.jsonl`` and ``qrels/{split}.tsv``, compressed or not.
        split: Which judgements.
        needs_corpus: Whether ``corpus.jsonl`` has to be there; without it the judged documents are known by name alone.

    Raises:
        UserError: A file is missing or malformed, an identifier occurs twice, or a judgement names an unknown one.
    """
    corpus = None
    if needs_corpus or found_file(folder, "corpus.jsonl") is not None:
        corpus = find_file(folder, "corpus.jsonl", columns=("_id", "title", "text"))
    queries = find_file(folder, "queries.jsonl", columns=_QUERY_COLUMNS)
    qrels = find_file(folder, f"qrels/{split}.tsv", columns=_JUDGEMENT_COLUMNS)
    return _collection(
        folder.resolve().name,
        documents=None if corpus is None else read_records(corpus, columns=_DOCUMENT_COLUMNS),
        queries=read_records(queries, columns=_QUERY_COLUMNS),
        qrels=read_records(qrels, columns=_JUDGEMENT_COLUMNS),
    )


def collection_from_hub(name: str, split: str = "test") -> Collection:
    """Fetch a collection from the hub.

    Raises:
        UserError: The hub cannot be reached.
    """
    instead = f"retrieval/{name}/corpus.jsonl, queries.jsonl and qrels/{split}.tsv"
    corpus = replace(_HUB[name], config="corpus", split="corpus")
    queries = replace(_HUB[name], config="queries", split="queries")
    qrels = replace(_HUB[name], config="default", split=split)
    return _collection(
        name,
        documents=corpus.records(columns=_DOCUMENT_COLUMNS, instead=instead),
        queries=queries.records(columns=_QUERY_COLUMNS, instead=instead),
        qrels=qrels.records(columns=_JUDGEMENT_COLUMNS, instead=instead),
    )


def _collection(
    name: str, *, documents: Sequence[Record] | None, queries: Sequence[Record], qrels: Sequence[Record]
) -> Collection:
    document_of, query_of = _by_id(documents or ()), _by_id(queries)
    known = document_of.keys() if documents is not None else {str(record.values["corpus-id"]) for record in qrels}
    position = {identifier: number for number, identifier in enumerate(sorted(known, reverse=True))}
    judgements: dict[str, dict[int, float]] = {}
    for record in qrels:
        query_id, document_id = str(record.values["query-id"]), str(record.values["corpus-id"])
        if query_id not in query_of:
            raise UserError(f"{record.place}: query-id {query_id!r} is not in the queries; remove it or add the query")
        if document_id not in position:
            raise UserError(f"{record.place}: corpus-id {document_id!r} is not in the corpus; remove it or add it")
        judgements.setdefault(query_id, {})[position[document_id]] = record.number("score")
    if not any(score > 0 for judged in judgements.values() for score in judged.values()):
        raise UserError(
            f"{name}: no judgement has a score above 0, so no query has a relevant document; give relevant documents 1"
        )
    return Collection(
        name=name,
        documents=[_titled(document_of[identifier]) for identifier in position if identifier in document_of],
        queries=[query_of[query_id].text("text") for query_id in judgements],
        judgements=list(judgements.values()),
        ids=list(position),
    )


def _by_id(records: Sequence[Record]) -> dict[str, Record]:
    found: dict[str, Record] = {}
    for record in records:
        identifier = str(record.values["_id"])
        if identifier in found:
            raise UserError(f"{record.place}: _id {identifier!r} occurs twice, first at {found[identifier].place}")
        found[identifier] = record
    return found


def _titled(record: Record) -> str:
    """Title and text; a document may lack either, as some of BEIR do."""
    return f"{record.values.get('title') or ''} {record.values['text'] or ''}".strip()

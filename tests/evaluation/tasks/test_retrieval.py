"""Collections of the BEIR layout: reading, scoring, and what is wrong with them."""

import numpy as np
import pytest
from tests.evaluation.evaluation_data import Constant, Table, collection, write_jsonl, write_tsv

from selfsent.errors import UserError
from selfsent.evaluation import evaluate
from selfsent.evaluation.bm25 import BM25
from selfsent.evaluation.tasks.retrieval import read_collection

pytrec_eval = pytest.importorskip("pytrec_eval")


class QueriesApart(Table):
    """Has methods of its own for queries and documents."""

    def encode_query(self, inputs, **kwargs):
        return self.encode([f"query: {text}" for text in inputs])

    def encode_document(self, inputs, **kwargs):
        return self.encode([f"passage: {text}" for text in inputs])


def test_documents_are_title_and_text_and_only_judged_queries_count(tmp_path):
    read = read_collection(collection(tmp_path / "toy"))
    assert read.name == "toy"
    assert list(read.queries) == ["engine"]
    relevant = {read.documents[position]: relevance for position, relevance in read.judgements[0].items()}
    assert relevant == {"Engines An engine turns heat into motion.": 2.0, "Ships A ship has an engine.": 1.0}
    assert "Apples grow on trees." in read.documents


def test_queries_and_documents_are_encoded_by_their_own_methods(tmp_path):
    collection(tmp_path / "retrieval/toy")
    model = QueriesApart()
    evaluate(model, "retrieval", tmp_path)
    assert "query: engine" in model.asked
    assert "passage: Apples grow on trees." in model.asked


@pytest.mark.parametrize("copies", [1, 3])
def test_figures_equal_trec_eval_even_where_documents_are_the_same(tmp_path, copies):
    generator = np.random.default_rng(0)
    texts = [f"text {i // copies}" for i in range(60)]
    folder = tmp_path / "retrieval/random"
    write_jsonl(folder / "corpus.jsonl", [{"_id": f"d{i}", "text": text} for i, text in enumerate(texts)])
    write_jsonl(folder / "queries.jsonl", [{"_id": f"q{i}", "text": f"query {i}"} for i in range(9)])
    qrels = {
        f"q{i}": {f"d{j}": int(generator.integers(0, 3)) for j in generator.choice(60, 8, False)} for i in range(9)
    }
    rows = [[query, document, str(score)] for query, of in qrels.items() for document, score in of.items()]
    write_tsv(folder / "qrels/test.tsv", [["query-id", "corpus-id", "score"], *rows])
    queries, documents = Table().encode([f"query {i}" for i in range(9)]), Table().encode(texts)
    cosine = queries @ documents.T / np.linalg.norm(documents, axis=1) / np.linalg.norm(queries, axis=1)[:, None]
    cosine = np.round(cosine.astype(float), 5)
    run = {f"q{i}": {f"d{j}": float(cosine[i, j]) for j in range(60)} for i in range(9)}
    expected = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.10", "recall.10"}).evaluate(run).values()
    score = evaluate(Table(), "retrieval", tmp_path).scores[0]
    assert score.value == pytest.approx(np.mean([one["ndcg_cut_10"] for one in expected]))
    assert score.also["recall@10"] == pytest.approx(np.mean([one["recall_10"] for one in expected]))


def test_bm25_is_scored_like_a_model(tmp_path):
    collection(tmp_path / "retrieval/toy")
    report = evaluate(BM25(), "retrieval,rerank", tmp_path)
    assert report.dimension is None
    assert [score.task for score in report.scores] == ["toy", "toy-bm25"]
    assert report.score("toy").also["mrr@10"] == 1.0
    assert report.score("toy-bm25").value == report.score("toy-bm25").also["map_bm25"]


def test_a_ranker_has_no_embeddings_to_score_pairs_by(data_dir):
    with pytest.raises(UserError, match="BM25 ranks documents and has no embeddings"):
        evaluate(BM25(), "sts", data_dir)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (["q9", "d1", "1"], r"qrels/test\.tsv, line 4: query-id 'q9' is not in the queries"),
        (["q1", "d9", "1"], r"line 4: corpus-id 'd9' is not in the corpus"),
        (["q1", "d2", "yes"], r"line 4: score is 'yes'; give a number"),
        (["q1", "d2"], r"line 4: 2 cells under 3 headings"),
    ],
)
def test_a_wrong_judgement_names_file_and_line(tmp_path, row, message):
    folder = collection(tmp_path / "toy")
    with (folder / "qrels/test.tsv").open("a") as file:
        file.write("\t".join(row) + "\n")
    with pytest.raises(UserError, match=message):
        read_collection(folder)


@pytest.mark.parametrize("name", ["corpus", "queries"])
def test_an_identifier_that_occurs_twice_names_both_lines(tmp_path, name):
    folder = collection(tmp_path / "toy")
    file = folder / f"{name}.jsonl"
    file.write_text(file.read_text() + file.read_text().splitlines()[0] + "\n")
    with pytest.raises(UserError, match=rf"_id '..' occurs twice, first at .*{name}\.jsonl, line 1"):
        read_collection(folder)


def test_no_collection_names_the_layout(tmp_path):
    for suite in ("retrieval", "rerank"):
        with pytest.raises(UserError, match=r"corpus\.jsonl|rerank/NAME/test\.jsonl"):
            evaluate(Table(), suite, tmp_path)


def test_collapsed_embeddings_of_documents_are_named(tmp_path):
    collection(tmp_path / "retrieval/toy")
    with pytest.raises(UserError, match="toy documents are the same"):
        evaluate(Constant(), "retrieval", tmp_path)

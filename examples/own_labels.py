"""Score a search on one's own judgements: which documents answer which query. First: pip install 'selfsent[search]'."""

import json
from pathlib import Path

import selfsent
from selfsent.evaluation.tasks.pairs import evaluate_own_labels

documents = {f"{name}-{number}": f"{text} Office {number}." for number in range(10) for name, text in {
    "leave": "Everyone has thirty days of leave a year.", "travel": "Book trains through the travel desk.",
    "laptops": "The help desk lends laptops and phones."}.items()}  # fmt: skip
folder = Path("judged")
(folder / "qrels").mkdir(parents=True, exist_ok=True)
corpus = [json.dumps({"_id": key, "title": "", "text": text}) for key, text in documents.items()]
(folder / "corpus.jsonl").write_text("\n".join(corpus), encoding="utf8")
queries = {"q1": "days of leave in office 3", "q2": "laptops of office 7"}
lines = [json.dumps({"_id": key, "text": text}) for key, text in queries.items()]
(folder / "queries.jsonl").write_text("\n".join(lines), encoding="utf8")
judgements = "query-id\tcorpus-id\tscore\nq1\tleave-3\t1\nq2\tlaptops-7\t1\n"
(folder / "qrels" / "test.tsv").write_text(judgements, encoding="utf8")

selfsent.build(folder / "corpus.jsonl", "judged-search", minutes=0.5)
for mode in ("hybrid", "text"):
    (report,) = evaluate_own_labels(["judged-search"], qrels=folder, mode=mode)
    print(mode, [f"{score.task}: {score.value:.2f}" for score in report.scores])

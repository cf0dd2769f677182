"""A report with every key, small and of our own making."""

from typing import Any

import pytest


def scores(ndcg: float, first: float) -> dict[str, Any]:
    return {"ndcg@10": ndcg, "recall@10": ndcg + 0.1, "found_first": first, "ci95": [ndcg - 0.05, ndcg + 0.06]}


@pytest.fixture
def report() -> dict[str, Any]:
    """What a build of a handbook might write."""
    answers = [
        {"document": "hr/ill.md", "title": "When you are ill", "text": "From the fourth day on."},
        {"document": "hr/leave.md", "title": "", "text": "Thirty days a year."},
    ]
    return {
        "seconds": 93.1,
        "source": "handbook/",
        "created": "2026-11-28T19:00:00+00:00",
        "base": "static",
        "corpus": {"documents": 212, "passages": 3411, "words": 812345, "queries": 200, "heldout_documents": 43},
        "documents": {
            "read": 212,
            "passages": 3411,
            "skipped": {
                "a password is needed": {"count": 1, "files": ["pay.pdf"]},
                "no text in it (scanned?)": {"count": 30, "files": [f"scan {number}.pdf" for number in range(20)]},
            },
        },
        "retrieval": {
            "hybrid": scores(0.664, 0.58),
            "trained": scores(0.626, 0.53),
            "topics": scores(0.544, 0.44),
            "untrained": scores(0.429, 0.33),
            "averaged": scores(0.494, 0.40),
            "bm25": scores(0.561, 0.47),
        },
        "retrieval_by_part": {
            "title": {"hybrid": scores(0.46, 0.3), "bm25": scores(0.35, 0.2)},
            "random sentence": {"hybrid": scores(0.712, 0.6)},
        },
        "differences": [
            {"of": "hybrid", "over": "bm25", "difference": 0.103, "ci95": [0.061, 0.146]},
            {"of": "topics", "over": "bm25", "difference": -0.017, "ci95": [-0.07, 0.04]},
            {"of": "untrained", "over": "bm25", "difference": -0.132, "ci95": [-0.19, -0.07]},
            {"of": "trained", "over": "topics", "difference": 0.082, "ci95": [0.03, 0.13]},
        ],
        "fusion_weight": 0.7,
        "changes": {"new": 3, "updated": 1, "removed": 2, "unchanged": 206},
        "curve": [
            {"step": 20, "seconds": 4.1, "own_documents": 0.46},
            {"step": 40, "seconds": 8.2, "own_documents": 0.61},
            {"step": 60, "seconds": 12.3, "own_documents": 0.6},
        ],
        "map": {
            "points": [
                {"x": 0.1, "y": 0.2, "title": "Leave", "document": "a.md", "text": "Thirty days.", "group": 0},
                {"x": 0.3, "y": 0.2, "title": "Ill", "document": "b.md", "text": "Four days.", "group": 0},
                {"x": 0.9, "y": 0.8, "title": "Printers", "document": "c.md", "text": "Turn it off.", "group": 1},
            ],
            "groups": [{"name": "leave, days", "size": 2}, {"name": "printers", "size": 1}],
            "passages": 3411,
        },
        "examples": [
            {"query": "How long may I be ill?", "right": "hr/ill.md", "hybrid": answers, "bm25": answers[1:]},
        ],
        "next": ['selfsent search DIR "your question"', "Read the scanned files with text recognition."],
        "paths": {"model": "out/model", "store": "out/store", "report": "out/report.json"},
        "versions": {"selfsent": "0.1.0", "torch": "2.8.0"},
        "notes": ["notes.txt was taken as one document"],
    }

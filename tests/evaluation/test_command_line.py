"""``selfsent evaluate`` and ``selfsent compare`` as a person types them; each bad input is refused by one line."""

import json
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from sentence_transformers import SentenceTransformer
from tests.evaluation.conftest import Runs
from tests.evaluation.evaluation_data import STS_TASKS, collection, noisy_report, sts_folder, write_jsonl, write_tsv
from tests.test_cli import Outcome, refused, selfsent
from tests.test_cli import Run as Command

from selfsent.evaluation import load_report

__all__ = ["selfsent"]  # a fixture: pytest finds it by its name


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, Path]:
    """Two reports on the same items."""
    paths = tmp_path / "one.json", tmp_path / "two.json"
    for noise, path in enumerate(paths, start=1):
        noisy_report(path.stem, noise).save(path)
    return paths


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The seven STS tasks and a collection."""
    collection(sts_folder(tmp_path / "suites") / "retrieval/toy")
    return tmp_path / "suites"


def test_compare_prints_the_values_and_how_far_the_second_run_is_from_the_first(
    selfsent: Command, saved: tuple[Path, Path]
) -> None:
    shown = selfsent("compare", *saved)
    assert shown.code == 0, shown
    values = [load_report(path).score("STSBenchmark").value for path in saved]
    for text in ("STSBenchmark", "one", "two", f"{100 * values[0]:.2f}", f"{100 * values[1]:.2f}"):
        assert text in shown.out
    assert f"{100 * (values[1] - values[0]):+.2f}" in shown.out


def test_compare_evaluates_folders_and_writes_a_page_and_markdown(selfsent: Command, runs: Runs) -> None:
    command = ("compare", runs.narrow, runs.wide, "--suite", "geometry", "--data-dir", runs.data, "--output")
    page, table = runs.data / "page.html", runs.data / "table.md"
    for path in (page, table):
        done = selfsent(*command, path)
        assert done.code == 0, done
        assert f"comparison written to {path}" in done.out.replace("\n", "")
    assert page.read_text("utf8").startswith("<!doctype html>")
    for text in ("width8", "width16", "8 dimensions", "16 dimensions", "<svg"):
        assert text in page.read_text("utf8")
    assert table.read_text("utf8").startswith("| task | metric | width8 | width16 |")
    assert json.loads((runs.narrow / "evaluation/geometry.json").read_text("utf8"))["dimension"] == 8


def test_compare_refuses_what_it_cannot_compare(selfsent: Command, saved: tuple[Path, Path], tmp_path: Path) -> None:
    refused(selfsent("compare", *saved, "--output", tmp_path / "page.pdf"), "page.pdf", ".html or .md")
    refused(selfsent("compare", saved[0]), "at least two")
    refused(selfsent("compare", saved[0], saved[0]), "named twice")
    refused(selfsent("compare", saved[0], tmp_path / "nowhere"), "no run at", "nowhere")
    refused(selfsent("compare", *saved, "--output", saved[0] / "page.html"), "cannot write")
    noisy_report("other", 1, num_items=30).save(tmp_path / "other.json")
    refused(selfsent("compare", saved[0], tmp_path / "other.json"), "not scored on the same data")


def test_compare_refuses_a_model_whose_dimension_changed_since_it_was_evaluated(selfsent: Command, runs: Runs) -> None:
    compare = ("compare", runs.narrow, runs.wide, "--suite", "geometry")
    refused(selfsent(*compare), "width8", "--data-dir")
    assert selfsent(*compare, "--data-dir", runs.data).code == 0
    SentenceTransformer(str(runs.wide), device="cpu").save(str(runs.narrow))
    refused(selfsent(*compare), "width8 changed", "then 8 dimensions", "now 16", "--data-dir")
    again = selfsent(*compare, "--data-dir", runs.data)
    assert again.code == 0, again
    assert load_report(runs.narrow / "evaluation/geometry.json").dimension == 16


def test_baselines_stand_beside_the_model_those_of_a_corpus_where_it_is_known(
    selfsent: Command, runs: Runs, data: Path, sentences: list[str]
) -> None:
    command = ("evaluate", runs.wide, "--suite", "retrieval", "--data-dir", data, "--baselines")
    report = data / "report.json"
    without = selfsent(*command, "--json", report)
    assert without.code == 0, without
    assert "untrained" in without.out
    assert "bm25" in without.out
    assert "tf-idf" not in without.out
    assert f"{100 * load_report(report).score('toy').value:.2f}" in without.out
    corpus = data / "corpus.txt"
    corpus.write_text("\n".join([*sentences, "An engine turns heat", "Apples grow on trees"]), "utf8")
    fitted = selfsent(*command, "--corpus", corpus)
    assert fitted.code == 0, fitted
    for name in ("untrained", "averaged words", "tf-idf", "bm25"):
        assert name in fitted.out


def test_baselines_that_cannot_be_had_are_refused(selfsent: Command, runs: Runs, data: Path) -> None:
    suites = ("--suite", "retrieval", "--data-dir", data)
    refused(selfsent("evaluate", runs.wide, runs.narrow, *suites, "--baselines"), "one model")
    refused(selfsent("evaluate", runs.wide, "--baselines", "--qrels", data / "retrieval/toy"), "--qrels")
    refused(selfsent("evaluate", runs.wide, *suites, "--corpus", "notes.txt"), "--corpus notes.txt", "--baselines")
    refused(selfsent("evaluate", runs.wide, *suites, "--baselines", "--corpus", data / "none.txt"), "none.txt")


def test_several_models_are_paired_and_their_json_is_refused(selfsent: Command, runs: Runs, data: Path) -> None:
    both = ("evaluate", runs.narrow, runs.wide, "--suite", "retrieval", "--data-dir", data)
    shown = selfsent(*both)
    assert shown.code == 0, shown
    assert "paired differences" in shown.out
    refused(selfsent(*both, "--json", data / "report.json"), "one report", "2 models")


def remove_a_file(data: Path) -> None:
    (data / "sts/STS15/test.jsonl").unlink()


def write_scores_in_words(data: Path) -> None:
    write_jsonl(data / "sts/STS12/test.jsonl", [{"sentence1": "a", "sentence2": "b", "score": "high"}])


def repeat_a_document(data: Path) -> None:
    corpus = data / "retrieval/toy/corpus.jsonl"
    corpus.write_text(corpus.read_text("utf8") + corpus.read_text("utf8").splitlines()[0] + "\n", "utf8")


def judge_an_unknown_document(data: Path) -> None:
    write_tsv(data / "retrieval/toy/qrels/test.tsv", [["query-id", "corpus-id", "score"], ["q1", "d77", "1"]])


BAD_DATA: dict[str, tuple[Callable[[Path], None], str, tuple[str, ...]]] = {
    "a missing data set": (remove_a_file, "sts", ("sts/STS15/test.jsonl", "sentence1, sentence2, score")),
    "gold scores that are words": (write_scores_in_words, "sts", ("test.jsonl, line 1", "'high'", "number")),
    "an identifier that occurs twice": (repeat_a_document, "retrieval", ("corpus.jsonl, line 4", "'d1'", "line 1")),
    "a judgement of an unknown document": (judge_an_unknown_document, "retrieval", ("test.tsv, line 2", "'d77'")),
}


@pytest.mark.parametrize("name", BAD_DATA)
def test_bad_data_is_refused_with_file_and_line(selfsent: Command, runs: Runs, data: Path, name: str) -> None:
    spoil, suite, words = BAD_DATA[name]
    spoil(data)
    refused(selfsent("evaluate", runs.wide, "--suite", suite, "--data-dir", data), *words)


BROKEN = {"NaN": (np.nan, ("NaN", "no score")), "constant": (1.0, ("the same", "collapsed"))}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("suite", ["sts", "retrieval"])
def test_broken_embeddings_are_named_and_not_scored_as_zero(
    selfsent: Command, runs: Runs, data: Path, suite: str, name: str
) -> None:
    value, words = BROKEN[name]
    (weights,) = runs.wide.glob("**/*.safetensors")
    save_file({key: np.full_like(table, value) for key, table in load_file(weights).items()}, weights)
    report = data / "report.json"
    refused(selfsent("evaluate", runs.wide, "--suite", suite, "--data-dir", data, "--json", report), *words)
    assert not report.exists()


def test_scores_written_as_text_are_ranked_as_numbers(selfsent: Command, runs: Runs, data: Path) -> None:
    def spearman(of: Callable[[float], object]) -> float:
        for task in STS_TASKS:
            rows = [
                {"sentence1": f"a cat {i}", "sentence2": f"the hill {i * i}", "score": of(float(i))} for i in range(12)
            ]
            write_jsonl(data / f"sts/{task}/test.jsonl", rows)
        report = data / "report.json"
        done = selfsent("evaluate", runs.wide, "--suite", "sts", "--data-dir", data, "--json", report)
        assert done.code == 0, done
        return load_report(report).score("STS12").value

    assert spearman(lambda score: str(int(score))) == spearman(lambda score: score)  # as text "10" comes before "2"


@pytest.fixture
def translated(runs: Runs, sentences: list[str]) -> Path:
    """The STS-B of `runs` with a German side, and a bitext."""
    english = (runs.data / "sts/STSBenchmark/test.jsonl").read_text("utf8")
    rows = [json.loads(line) for line in english.splitlines()]
    write_jsonl(runs.data / "sts/STSBenchmarkMultilingual/de-test.jsonl", rows)
    pairs = [list(pair) for pair in zip(sentences[::2], sentences[1::2], strict=True)]
    write_tsv(runs.data / "parallel/toy/test.tsv", [["en", "de"], *pairs])
    return runs.data


def test_languages_and_teacher_reach_the_suites_across_languages(
    selfsent: Command, runs: Runs, translated: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    suites = ("--suite", "teacher-error,sts-multilingual,sts-crosslingual,language-bias", "--data-dir", translated)
    chosen = ("--languages", " de,de", "--teacher", runs.narrow, "--json", report)
    done = selfsent("evaluate", runs.narrow, *suites, *chosen)
    assert done.code == 0, done
    assert list(json.loads(report.read_text("utf8"))["tasks"]) == [
        "teacher-error/toy/en-de",
        "STSBenchmarkMultilingual/de",
        "STSBenchmarkMultilingual/en-de",
        "language-bias/toy/en-de",
        "language-bias/STSBenchmarkMultilingual",
    ]


def test_languages_and_teachers_that_cannot_be_used_are_refused(
    selfsent: Command, runs: Runs, translated: Path
) -> None:
    def refusal(suite: str, *options: object) -> Outcome:
        return selfsent("evaluate", runs.narrow, "--suite", suite, "--data-dir", translated, *options)

    refused(refusal("sts-crosslingual", "--languages", "de,german"), "german", "en-de")
    refused(refusal("sts-crosslingual", "--languages", "en-qq"), "en-qq")
    refused(refusal("sts-crosslingual", "--languages", ","), "names none")
    refused(refusal("sts-crosslingual", "--languages", "fr"), "fr-test.jsonl")
    refused(refusal("sts-crosslingual", "--languages", "en"), "with other languages")
    refused(refusal("language-bias", "--languages", "en-de"), "en-de names none")
    refused(refusal("sts", "--languages", "de"), "--languages", "language-bias")
    refused(refusal("sts", "--teacher", runs.wide), "--teacher", "teacher-error")
    refused(refusal("teacher-error"), "--teacher")
    refused(refusal("teacher-error", "--teacher", translated / "nowhere"), "nowhere", "no model")
    refused(refusal("teacher-error", "--teacher", runs.wide), "8", "16")
    refused(refusal("sts", "--teacher", runs.wide, "--pairs", "pairs.jsonl"), "--teacher")


@pytest.fixture
def own_pairs(tmp_path: Path, sentences: list[str]) -> Path:
    """Eleven pairs of sentences, and one without a score in line 4."""
    rows: list[dict] = [
        {"sentence1": one, "sentence2": other, "score": number % 5}
        for number, (one, other) in enumerate(pairwise(sentences))
    ]
    rows.insert(3, {"sentence1": "a", "sentence2": "b", "score": "high"})
    return write_jsonl(tmp_path / "own.jsonl", rows)


def test_a_bad_pair_is_left_out_as_the_error_advises_and_is_told(
    selfsent: Command, runs: Runs, own_pairs: Path, tmp_path: Path
) -> None:
    command = ("evaluate", runs.wide, "--pairs", own_pairs, "--json", tmp_path / "report.json")
    refused(selfsent(*command), "own.jsonl, line 4", "--on-bad-row skip")
    done = selfsent(*command, "--on-bad-row", "skip")
    assert done.code == 0, done
    assert load_report(tmp_path / "report.json").score("own").num_items == 11
    assert "1 bad row left out, the first:" in done.notes
    assert "own.jsonl, line 4" in done.notes


def test_the_corpus_of_baselines_is_read_as_asked_and_its_notes_are_told(
    selfsent: Command, runs: Runs, data: Path, sentences: list[str]
) -> None:
    corpus = write_jsonl(data / "corpus.jsonl", [{"text": text} for text in [*sentences, *sentences]] + [{"text": 3}])
    command = ("evaluate", runs.wide, "--suite", "retrieval", "--data-dir", data, "--baselines", "--corpus", corpus)
    refused(selfsent(*command), "corpus.jsonl, line 25", "--on-bad-row skip")
    done = selfsent(*command, "--on-bad-row", "skip")
    assert done.code == 0, done
    assert "1 bad row left out, the first:" in done.notes


def test_subsets_without_a_correlation_are_refused(
    selfsent: Command, runs: Runs, data: Path, tmp_path: Path, sentences: list[str]
) -> None:
    rows = [
        {"sentence1": one, "sentence2": other, "score": number, "subset": str(number)}
        for number, (one, other) in enumerate(pairwise(sentences))
    ]
    write_jsonl(data / "sts/STS12/test.jsonl", rows)
    command = ("evaluate", runs.wide, "--suite", "sts", "--data-dir", data, "--aggregation", "mean")
    refused(selfsent(*command, "--json", tmp_path / "r.json"), "STS12", "no subset", "use `all`")


def test_a_page_is_written_although_nothing_can_be_printed(
    selfsent: Command, saved: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("selfsent.cli.show", broken)
    refused(selfsent("compare", *saved, "--output", tmp_path / "table.md"), "Input/output error")
    assert (tmp_path / "table.md").read_text("utf8").startswith("| task |")


def test_a_comparison_of_names_that_look_like_markup_is_printed_and_written(selfsent: Command, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("m[red]v2.json", "host:key:value.json")]
    for noise, path in enumerate(paths, start=1):
        noisy_report("x", noise).save(path)
    output = tmp_path / "o" / "[" / "x].md"
    done = selfsent("compare", *paths, "--output", output)
    assert done.code == 0, done
    assert {"m[red]v2", "host:key:value", f"comparison written to {output}"} <= set(re.split(r" *[\n┃] *", done.out))
    assert output.is_file()

"""The command line: a command parses its arguments, calls one function of the package, and prints what it returns."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from selfsent import __version__
from selfsent.command_options import (
    SEED,
    Address,
    Aggregation,
    Assignments,
    BadRows,
    BatchSize,
    Columns,
    DataDir,
    Device,
    Engine,
    FirstRow,
    MaxRows,
    ModelOrBuild,
    OnBadTree,
    Overwrite,
    Split,
    StoreMode,
    TreeFormat,
    TreeModel,
    Unit,
    data_dir_of,
    header_of,
    languages_of,
    opened,
    picked,
    refuse_useless,
)
from selfsent.commands import Command, CommandGroup, note, run_command_line
from selfsent.errors import UserError
from selfsent.export_commands import add_commands as add_export_commands
from selfsent.listings import methods, recipes, suites, views
from selfsent.printed_text import show, visible
from selfsent.serving_commands import add_commands as add_serving_commands
from selfsent.store_commands import add_commands as add_store_commands
from selfsent.tuning_command import tune

app = typer.Typer(cls=CommandGroup, pretty_exceptions_enable=False)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"selfsent {__version__}")
        raise typer.Exit


@app.callback()
def entry(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version and exit.")
    ] = False,
) -> None:
    """Learn sentence embeddings from raw text alone, and search with them."""


@app.command(cls=Command)
def build(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Documents: a file, a folder, hf:NAME, or docs:.")],
    output: Annotated[Path, typer.Option(help="Where model, store and report go.")],
    base: Annotated[
        str | None, typer.Option(help="tree (default: the vectors of static, with a structure), static, a transformer.")
    ] = None,
    teacher: Annotated[str | None, typer.Option(help="A model that a static one learns from, on SOURCE.")] = None,
    model: Annotated[str | None, typer.Option(help="A ready model to search with, instead of learning one.")] = None,
    minutes: Annotated[float, typer.Option(min=0.1, help="About how long learning and measuring take.")] = 5.0,
    unit: Annotated[Unit, typer.Option(help="What a document is in a .txt file.")] = "auto",
    columns: Columns = None,
    on_bad_row: BadRows = "stop",
    retrain: Annotated[bool, typer.Option("--retrain", help="Learn anew although a model is there.")] = False,
    seed: Annotated[int, SEED] = 42,
    device: Device = None,
    engine: Engine = "local",
    address: Address = None,
) -> None:
    """Make documents searchable: read, learn, measure without labels, index, report; run again when they change."""
    from selfsent.document_build import BuildRequest
    from selfsent.document_build import build as run

    request = BuildRequest(
        source=source,
        output=output,
        base=base,
        teacher=teacher,
        model=model,
        minutes=minutes,
        unit=unit,
        columns=picked(columns),
        on_bad_row=on_bad_row,
        retrain=retrain,
        seed=seed,
        device=device,
        engine=engine,
        address=address,
    )
    report = run(request)
    from selfsent.document_report import render

    show(*render(report))


@app.command(cls=Command)
def demo(
    output: Annotated[Path, typer.Option(help="Where model, store and report go.")] = Path("selfsent-demo"),
    seed: Annotated[int, SEED] = 42,
) -> None:
    """Run `build` on the embedded corpus, the docstrings of the installed packages, and ask a few queries."""
    from selfsent.demo import render, run

    show(*render(run(output, seed=seed)))


@app.command(cls=Command)
def train(
    method: Annotated[str, typer.Argument(metavar="METHOD_OR_RECIPE", help="A method, or a recipe (see `recipes`).")],
    output: Annotated[Path, typer.Option(help="Folder of the run; becomes the model folder.")],
    data: Annotated[
        str | None, typer.Option(help="File, folder, hf:NAME[:config][:split], or docs: (default: the recipe's).")
    ] = None,
    base: Annotated[str | None, typer.Option(help="Model to start from (default: the recipe's or method's).")] = None,
    teacher: Annotated[
        str | None, typer.Option(help="Model to learn from (default: the recipe's or method's).")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the interrupted run in OUTPUT.")] = False,
    overwrite: Overwrite = False,
    epochs: Annotated[float | None, typer.Option(min=0, help="Passes over the data.")] = None,
    max_steps: Annotated[int | None, typer.Option(min=1, help="Optimizer steps; wins over --epochs.")] = None,
    max_rows: MaxRows = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Rows a batch.")] = None,
    learning_rate: Annotated[float | None, typer.Option(min=0, help="Peak learning rate.")] = None,
    seed: Annotated[int | None, SEED] = None,
    set: Assignments = None,
    columns: Columns = None,
    header: FirstRow = None,
    on_bad_row: BadRows = "stop",
    data_dir: DataDir = None,
    device: Device = None,
    report_to: Annotated[str | None, typer.Option(help="Follow the run with tensorboard, trackio or wandb.")] = None,
    push: Annotated[str | None, typer.Option(help="Send the model to this repository of the hub, private.")] = None,
) -> None:
    """Train a method on a source; OUTPUT becomes a SentenceTransformer folder, or a table of a recipe's many runs."""
    from selfsent.runs.mistyped import refuse_mistyped
    from selfsent.runs.recipe import parse_assignments

    settings = parse_assignments(set or [])
    refuse_mistyped(method, data, settings, base=base, teacher=teacher)
    from selfsent.runs.publishing import publish, require_access
    from selfsent.runs.train import Request, execute, named_recipe

    flags = {
        "num_train_epochs": epochs,
        "max_steps": max_steps,
        "per_device_train_batch_size": batch_size,
        "learning_rate": learning_rate,
        "report_to": report_to,
    }
    request = Request(
        method=method,
        data=data,
        output=output,
        settings=settings,
        training={name: value for name, value in flags.items() if value is not None},
        base=base,
        teacher=teacher,
        resume=resume,
        overwrite=overwrite,
        seed=seed,
        max_rows=max_rows,
        columns=picked(columns),
        header=header_of(header),
        on_bad_row=on_bad_row,
        data_dir=data_dir,
        device=device,
    )
    if named_recipe(request).has_many_runs:
        from selfsent.runs.train_table import execute_table

        if push is not None:
            raise UserError(f"--push {push} sends one model, and this recipe makes a table of many; leave it out")
        show(execute_table(request).render(), f"table written to {output}")
    else:
        if push is not None:
            require_access(push)
        execute(request)
        show(f"model written to {output}")
        if push is not None:
            show(f"model sent to {publish(output.expanduser(), push)}")


@app.command(cls=Command)
def evaluate(
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL...", help="Model folders, hub names or builds; stores with --qrels.")
    ],
    suite: Annotated[
        str | None,
        typer.Option(help="Suites, with commas between them (default: sts,lexical; of own labels, sts and retrieval)."),
    ] = None,
    data_dir: DataDir = None,
    pairs: Annotated[str | None, typer.Option(help="Own labels: sentence1, sentence2, score.")] = None,
    qrels: Annotated[Path | None, typer.Option(help="Own judgements: a folder of the BEIR layout.")] = None,
    split: Annotated[Split, typer.Option(help="dev is for tuning.")] = "test",
    aggregation: Annotated[Aggregation, typer.Option(help="STS tasks of subsets.")] = "all",
    baselines: Annotated[
        bool, typer.Option("--baselines", help="Beside MODEL: untrained, averaged words, TF-IDF + SVD, BM25.")
    ] = False,
    corpus: Annotated[
        str | None, typer.Option(help="Corpus that baselines are fitted on (default: what MODEL was trained on).")
    ] = None,
    languages: Annotated[
        str | None, typer.Option(help="Of the suites across languages: codes or pairs, de,fr,en-de (default: all).")
    ] = None,
    teacher: Annotated[str | None, typer.Option(help="What the suite teacher-error compares with.")] = None,
    data: Annotated[str | None, typer.Option(help="Documents of the suite own-documents.")] = None,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write the report here.")] = None,
    on_bad_row: BadRows = "stop",
    mode: StoreMode = "hybrid",
    batch_size: BatchSize = 64,
    device: Device = None,
) -> None:
    """Score models on suites of tasks, with 95% bootstrap intervals."""
    from selfsent import evaluation
    from selfsent.atomic import require_file_place
    from selfsent.evaluation.baselines import evaluate_with_baselines
    from selfsent.evaluation.suites import refuse_unused, suite_names
    from selfsent.evaluation.tasks.pairs import evaluate_own_labels
    from selfsent.search.built_model import model_of

    options = evaluation.SuiteOptions(
        split=split,
        aggregation=aggregation,
        languages=languages_of(languages),
        teacher=teacher,
        data=data,
        batch_size=batch_size,
    )
    own_labels = pairs is not None or qrels is not None
    named = models if qrels is not None else [model_of(model) for model in models]
    if json_path is not None:
        if len(models) > 1:
            raise UserError(f"--json holds one report and {len(models)} models were named; evaluate them one by one")
        require_file_place(json_path)
    refuse_useless(
        beside=baselines and (len(models) > 1 or own_labels),
        corpus=None if baselines else corpus,
        skipping=on_bad_row == "skip" and pairs is None and not baselines,
    )
    chosen = suite_names(suite or "sts,lexical")
    refuse_unused(options, () if own_labels else chosen)
    folder = data_dir_of(data_dir)
    if own_labels:
        reports = evaluate_own_labels(
            named,
            pairs=pairs,
            qrels=qrels,
            options=options,
            device=device,
            on_bad_row=on_bad_row,
            mode=mode,
            suites=chosen if suite else (),
        )
    elif baselines:
        reports = evaluate_with_baselines(
            named[0], chosen, folder, corpus=corpus, options=options, device=device, on_bad_row=on_bad_row
        )
    else:
        reports = [evaluation.evaluate(model, chosen, folder, options=options, device=device) for model in named]
    if json_path is not None:
        reports[0].save(json_path)
    if baselines:
        show(evaluation.render_baselines(reports))
    elif len(reports) == 1:
        show(evaluation.render(reports[0]))
    else:
        differences = evaluation.paired_differences(reports)
        show(evaluation.render_side_by_side(reports), evaluation.render_differences(differences))


@app.command(cls=Command)
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run or model folders, or --json reports.")],
    suite: Annotated[str, typer.Option(help="What folders are evaluated on.")] = "sts,geometry",
    data_dir: DataDir = None,
    output: Annotated[Path | None, typer.Option(help="Write a page (.html) or Markdown (.md) here.")] = None,
    batch_size: BatchSize = 64,
) -> None:
    """Compare runs with the first of them: a table, paired intervals, and a page with plots."""
    from selfsent.atomic import require_file_place
    from selfsent.evaluation import SuiteOptions
    from selfsent.evaluation.comparison.compare import compare as run
    from selfsent.evaluation.comparison.compare import render
    from selfsent.evaluation.comparison.compare_page import save

    if output is not None and output.suffix not in {".html", ".md"}:
        raise UserError(f"--output must end in .html or .md, got {output}")
    if output is not None:
        require_file_place(output)
    comparison = run(runs, suites=suite, data_dir=data_dir_of(data_dir), options=SuiteOptions(batch_size=batch_size))
    if output is not None:
        save(comparison, output)
    show(render(comparison), *([] if output is None else [f"comparison written to {output}"]))


@app.command(cls=Command)
def encode(
    model: ModelOrBuild,
    input: Annotated[str, typer.Argument(metavar="INPUT", help="A source of texts.")],
    output: Annotated[Path, typer.Option(help="A .parquet or .npy file.")],
    columns: Columns = None,
    header: FirstRow = None,
    on_bad_row: BadRows = "stop",
    max_rows: MaxRows = None,
    batch_size: BatchSize = 64,
    overwrite: Overwrite = False,
    device: Device = None,
    engine: Engine = "local",
    address: Address = None,
) -> None:
    """Write the embeddings of a source to a file; an interrupted run continues."""
    from selfsent.loading import open_to_encode
    from selfsent.search.encoding import encode as run
    from selfsent.search.ray_engine import engine_of

    source = opened(input, columns, header, on_bad_row, max_rows, output=output)
    report = run(
        open_to_encode(model, device=device),
        source,
        output,
        model_path=model,
        batch_size=batch_size,
        overwrite=overwrite,
        engine=engine_of(engine, address, device),
    )
    note(*source.closing_notes())
    show(f"{report.num_texts:,} embeddings of {report.dimension} values written to {report.output}")


@app.command(cls=Command)
def tree(
    model: TreeModel,
    sentence: Annotated[str, typer.Argument(help="A sentence.")],
    versus: Annotated[
        str | None,
        typer.Option(help="Another tree beside it: balanced, right, left, random, a bracketed tree, or a model."),
    ] = None,
    format: Annotated[TreeFormat, typer.Option(help="Indented text, bracketed string, or SVG.")] = "text",
    output: Annotated[Path | None, typer.Option(help="Write to a file instead of the terminal.")] = None,
) -> None:
    """Show the structure a tree model sees in a sentence, or two structures of it side by side."""
    from selfsent.atomic import require_file_place, write_text
    from selfsent.drawing.sentence import sentence_tree

    if output is not None:
        require_file_place(output)
    if versus is None:
        shown = sentence_tree(model, sentence)
    else:
        from selfsent.drawing.side_by_side import tree_pair

        shown = tree_pair(model, sentence, versus)
    drawn = shown.drawn(format)
    if output is None and format == "svg":
        typer.echo(drawn.encode(sys.stdout.encoding, "xmlcharrefreplace").decode(sys.stdout.encoding))
    elif output is None:
        typer.echo(visible(drawn, lines=True))
    else:
        write_text(output, drawn + "\n")
        show(f"tree written to {output}")


@app.command(cls=Command)
def parse(
    input: Annotated[str, typer.Argument(metavar="INPUT", help="A source of texts, or a .mrg, .ptb or .conllu file.")],
    output: Annotated[Path, typer.Option(help="A .parquet file: texts and their trees, also a source of the texts.")],
    model: Annotated[str | None, typer.Option(help="spaCy pipeline that parses (default: en_core_web_sm).")] = None,
    trees: Annotated[Path | None, typer.Option(help="Ready parses of the texts, in order, instead of --model.")] = None,
    on_bad_tree: Annotated[OnBadTree, typer.Option(help="A ready parse that cannot be used.")] = "stop",
    lift: Annotated[bool, typer.Option("--lift", help="Make ready dependency trees projective.")] = False,
    processes: Annotated[int, typer.Option(min=1, max=1024, help="Processes that parse side by side.")] = 1,
    columns: Columns = None,
    header: FirstRow = None,
    on_bad_row: BadRows = "stop",
    max_rows: MaxRows = None,
    overwrite: Overwrite = False,
) -> None:
    """Parse a corpus once, or take up ready parses, for tree models of given structure; a killed run continues."""
    from selfsent.parsing.corpus import import_parses, parse_texts
    from selfsent.parsing.spacy_parser import SpacyParser
    from selfsent.parsing.treebank import is_treebank

    is_ready = trees is not None or is_treebank(input)
    if is_ready and model is not None:
        raise UserError(f"--model {model} parses texts, and {trees or input} holds parses already; leave one out")
    if is_treebank(input):
        if trees is not None:
            raise UserError(f"{input} holds parses itself, so --trees {trees} has no texts to go with; leave one out")
        report = import_parses(input, output, on_bad_tree=on_bad_tree, lift=lift, overwrite=overwrite)
    else:
        source = opened(input, columns, header, on_bad_row, max_rows, output=output)
        if trees is not None:
            report = import_parses(
                trees, output, source=source, on_bad_tree=on_bad_tree, lift=lift, overwrite=overwrite
            )
        else:
            parser = SpacyParser(model or "en_core_web_sm", num_processes=processes)
            report = parse_texts(source, parser, output, overwrite=overwrite)
        note(*source.closing_notes())
    show(*report.notes(on_bad_tree))


for listing in (tune, methods, views, suites, recipes):
    app.command(cls=Command)(listing)


add_store_commands(app)
add_export_commands(app)
add_serving_commands(app)


def main() -> None:
    """Run the command line; a user's mistake is one line and exit code 2."""
    run_command_line(app)

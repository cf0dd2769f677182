"""A comparison as one HTML file that needs nothing else: no network, no script, legible in light and in dark."""

from html import escape
from pathlib import Path

from selfsent.atomic import write_text
from selfsent.evaluation.comparison.compare import Comparison, legend, signed, to_markdown
from selfsent.evaluation.comparison.comparison_plots import draw
from selfsent.evaluation.comparison.runs import Run
from selfsent.evaluation.report import shown_means

_CSS = """
:root { color-scheme: light dark; --ground: #fdfdfc; --ink: #24262a; --soft: #6a6e76;
  --rule: #dcdde0; --gain: #1d7a4f; --loss: #b3403a; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #17181b; --ink: #e6e7e9; --soft: #9da1a9; --rule: #35373c; --gain: #5cc395; --loss: #ee8c84; }
}
body { margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 60rem; background: var(--ground); color: var(--ink);
  font: 16px/1.55 system-ui, sans-serif; }
h1 { font-size: 1.6rem; font-weight: 600; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; font-weight: 600; margin: 2.8rem 0 .6rem; }
p { color: var(--soft); margin: .3rem 0 1rem; max-width: 46rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .38rem .7rem .38rem 0; border-bottom: 1px solid var(--rule); text-align: right; vertical-align: top; }
th:first-child, td:first-child { text-align: left; }
th { font-weight: 600; overflow-wrap: anywhere; vertical-align: bottom; }
td { white-space: nowrap; }
td small { color: var(--soft); display: block; }
td span { display: inline-block; min-width: 4.2em; padding-left: .5em; }
.gain { color: var(--gain); } .loss { color: var(--loss); }
tr.mean td { font-weight: 600; }
svg { width: 100%; height: auto; min-width: 34rem; max-width: 52rem; color: var(--soft); }
svg.narrow { min-width: 22rem; max-width: 36rem; }
"""
_MANY = 3
_NARROW = {"Alignment and uniformity"}
_NOTES = {
    "Scores": "Points are values, lines their 95% bootstrap intervals. Overlap of two intervals says little of models "
    "scored on the same items; the table has the paired differences.",
    "Training": "As logged in each run's metrics.jsonl.",
    "Similarity and gold score": "Each point is a pair of sentences.",
    "Alignment and uniformity": "Both are better towards the lower left.",
}


def to_html(comparison: Comparison) -> str:
    """Write a comparison as a page.

    Args:
        comparison: The comparison.

    Returns:
        One whole HTML document: the table with paired differences, then the plots.

    Raises:
        UserError: matplotlib is not installed.
    """
    names = (
        " and ".join(run.name for run in comparison.runs)
        if len(comparison.runs) < _MANY
        else f"{len(comparison.runs)} runs"
    )
    sections = [_table(comparison)]
    for heading, svg in draw(comparison).items():
        figure = svg.replace(
            "<svg ", f'<svg aria-label="{escape(heading)}" class="{"narrow" if heading in _NARROW else ""}" ', 1
        )
        note = escape(f"{_NOTES[heading]}{_left_out(comparison) if heading == 'Scores' else ''}")
        sections.append(f"<h2>{escape(heading)}</h2>\n<p>{note}</p>\n<div class='wide'>{figure}</div>")
    body = "\n".join(sections)
    return (
        "<!doctype html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        f"<title>{escape(names)}</title>\n<style>{_CSS}</style>\n</head>\n<body>\n<h1>{escape(names)}</h1>\n"
        f"{body}\n</body>\n</html>\n"
    )


def _left_out(comparison: Comparison) -> str:
    """Say which tasks the plot does not show, a sentence or nothing."""
    tasks = comparison.unshared_tasks
    return f" Left out, since one run alone has them: {', '.join(tasks)}." if tasks else ""


def save(comparison: Comparison, path: str | Path) -> None:
    """Write a comparison to a file: Markdown where its name ends in ``.md``, else a page.

    Args:
        comparison: The comparison.
        path: The file.

    Raises:
        UserError: The place cannot be written to, or a page is wanted and matplotlib is not installed.
    """
    text = to_markdown(comparison) if Path(path).suffix == ".md" else to_html(comparison)
    write_text(Path(path), text)


def _table(comparison: Comparison) -> str:
    head = "".join(f"<th>{escape(run.name)}<br>{_width(run)}</th>" for run in comparison.runs)
    rows = [
        f"<tr><td>{escape(task)}<small>{escape(metric.name)}</small></td>"
        f"{''.join(_cell(comparison, run, task) for run in comparison.runs)}</tr>"
        for task, metric in comparison.tasks.items()
    ]
    for name, means in shown_means([run.report for run in comparison.runs]).items():
        cells = "".join(f"<td>{mean}</td>" for mean in means)
        rows.append(f"<tr class='mean'><td>{escape(name)}<small>mean</small></td>{cells}</tr>")
    table = f"<thead><tr><th>task</th>{head}</tr></thead>\n<tbody>{''.join(rows)}</tbody>"
    return f"<p>{escape(legend(comparison))}</p>\n<div class='wide'><table>{table}</table></div>"


def _width(run: Run) -> str:
    dimension = run.report.dimension
    return "" if dimension is None else f"<small>{dimension} dimensions</small>"


def _cell(comparison: Comparison, run: Run, task: str) -> str:
    score = comparison.score(run, task)
    if score is None:
        return "<td>-</td>"
    value, ci95 = score.shown(), score.shown_interval()
    difference = comparison.differences.get((task, run.name))
    if difference is None:
        return f"<td>{value}<small>{ci95}</small></td>"
    better = score.metric.is_gain(difference.paired.difference) if difference.is_clear else None
    kind = {True: "gain", False: "loss", None: ""}[better]
    between = score.metric.shown_interval(difference.paired.ci95)
    return (
        f"<td>{value}<span class='{kind}'>{signed(difference)}</span>"
        f"<small>{ci95}</small><small>difference {between}</small></td>"
    )

"""The laws of the layout: floors, no circles, how files are named, where their tests are."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "selfsent"
FILES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))
KNOWN = frozenset(FILES)
FLOORS = (
    "__main__ cli export_commands serving_commands store_commands tuning_command",
    "front_door",
    "command_options listings commands",
    "demo",
    "document_build",
    "serving serving/page",
    "document_report",
    "runs",
    "methods",
    "training",
    "losses",
    "evaluation/comparison evaluation/bridges export",
    "evaluation/tasks",
    "evaluation",
    "drawing",
    "search",
    "modules",
    "documents",
    "views",
    "parsing",
    "counts",
    "data data/parallel",
    "loading encoding",
    "runtime",
    "kernels",
    "trees",
    "model_content one_writer folder_names",
    (
        "atomic device compiler provenance ranks shapes time_limit durations words printed_text standard_streams "
        "options int8_rows freed_memory errors"
    ),
)
"""Roof to ground, as docs/decisions.md says: a file imports only from its own floor and from those below."""
LEVELS = {room: level for level, floor in enumerate(FLOORS) for room in floor.split()}
SHARED_BY_METHODS = {"document_views", "method", "starting_model", "table_start", "tree_model"}
PAPERS = [
    file for file in FILES if file.startswith("methods/") and Path(file).stem not in {"__init__", *SHARED_BY_METHODS}
]
TESTED_THROUGH = {
    "serving/test_serving_commands": "serving_commands",
    "serving/test_model_routes": "serving/model",
    "serving/test_app": (
        "serving/bodies serving/body_reader serving/endpoint_list serving/limits serving/metrics serving/page_files"
    ),
    "search/test_mapped_store": "search/store_snapshot",
    "runtime/test_runtime_model": "runtime/later_modules runtime/saved_files runtime/token_table runtime/tree_texts",
    "kernels/test_induction": "kernels/greedy_merges",
    "data/parallel/test_parallel_formats": "data/parallel/translation_memory",
    "data/parallel/test_translation_pool": "data/parallel/parallel_filters",
    "data/test_sources": "data/source data/tables",
    "document_build/test_build": ("document_build/build_folder document_build/building document_build/reading"),
    "document_report/test_page": (
        "document_report/examples_section document_report/figures document_report/map_section "
        "document_report/plain_text document_report/quality"
    ),
    "documents/test_documents": (
        "documents/blocks documents/file_formats documents/file_reader documents/hub_rows documents/reading "
        "documents/skipped"
    ),
    "export/test_exporting": "export_commands export/cost export/model_folder_files",
    "export/test_onnx_model": "modules/onnx_encoder runtime/onnx_texts",
    "export/test_static_model": "export/token_rows",
    "evaluation/comparison/test_compare_page": "evaluation/comparison/comparison_plots",
    "evaluation/test_fusion_weight": "search/fusion",
    "evaluation/test_metrics": "evaluation/score",
    "evaluation/test_suites": "evaluation/suite_options",
    "kernels/test_contrastive": "kernels/contrastive_tiles",
    "kernels/test_extreme_batches": "kernels/induction_reference",
    "kernels/test_induction_search": "kernels/beam_induction kernels/chart_induction",
    "kernels/test_small_products": "kernels/register_products",
    "kernels/test_triton_kernels": (
        "kernels/triton_cells kernels/triton_check kernels/triton_choice "
        "kernels/triton_contrastive kernels/triton_induction kernels/triton_language kernels/triton_passes"
    ),
    "losses/test_cross_view": "losses/averaged_encoder",
    "losses/test_node_relations": "kernels/node_relations",
    "losses/test_tree_losses": "losses/node_contrastive losses/reconstruction losses/tree_pass modules/tree_decoder",
    "methods/test_baselines": (
        "methods/bi_lstm methods/fasttext methods/recursive_networks methods/strae methods/tree_model "
        "training/library_fit"
    ),
    "methods/test_document_views": (
        "documents/training_corpus documents/training_rows evaluation/bridges/own_documents_evaluator"
    ),
    "methods/test_sct": "data/numbered_views",
    "methods/test_method_contract": "methods/document_contrast methods/document_distillation methods/method",
    "modules/test_cell_contract": (
        "kernels/affine_passes kernels/entangled_passes modules/composition modules/inside_outside modules/tree_lstm"
    ),
    "modules/test_attention_trees": "modules/text_trees",
    "modules/test_text_cnn": "modules/text_cnn_decoder",
    "modules/test_tree_encoder": (
        "modules/tokenized_input modules/tree_finder modules/tree_options modules/tree_states"
    ),
    "parsing/test_dependencies": "parsing/bad_tree",
    "parsing/test_given_trees": "modules/neighbour_context",
    "runs/test_train_table": "runs/run_table",
    "runs/test_tuning": "tuning_command",
    "search/test_hits": "search/hit_table",
    "search/test_indexing": "search/int8_recall",
    "search/test_kept_versions": "store_commands",
    "search/test_document_indexing": "search/passage_rows",
    "search/test_store_writer": (
        "search/lance_errors search/store search/store_schema search/stored_model search/stored_rows"
    ),
    "test_cli": "__main__",
    "test_commands": "errors",
    "training/test_run": "training/engine training/run_folder",
    "training/test_trainer": "training/heldout_loss training/loss_state",
    "trees/test_arrays": "trees/tree trees/heights",
    "trees/test_entangled": "trees/pair_numbers",
    "trees/test_split_depths": "trees/depth_merges",
    "views/test_registry": "views/view",
}
"""Files that have no test of their own path, by the test that exercises them through what uses them."""
MAX_LINES = 450
MAX_FUNCTION_LINES = 60


def imported(file: str) -> Iterator[str]:
    """The modules of this package that a file imports, at its top or inside its functions."""
    for node in ast.walk(ast.parse((PACKAGE / file).read_text("utf8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, packages: set[str]) -> bool:
    """Whether a dotted name is one of the packages or inside one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def room(file: str) -> str:
    """The folder of a file, or the file itself where it lies flat in the package."""
    return Path(file).parent.as_posix() if "/" in file else Path(file).stem


def files_imported(file: str) -> set[str]:
    """The files of this package that a file imports; a folder stands for its ``__init__``."""
    found: set[str] = set()
    for name in imported(file):
        path = name.removeprefix("selfsent").replace(".", "/").lstrip("/")
        if not name.startswith("selfsent"):
            continue
        found.update(other for other in (f"{path}.py", f"{path}/__init__.py".lstrip("/")) if other in KNOWN)
    return found - {file}


@pytest.mark.parametrize("file", [file for file in FILES if file != "__init__.py"])
def test_a_file_imports_from_its_own_floor_and_below(file: str) -> None:
    level = LEVELS[room(file)]
    assert [other for other in files_imported(file) - {"__init__.py"} if LEVELS[room(other)] < level] == []


def test_no_files_import_each_other_in_a_circle() -> None:
    graph = {file: files_imported(file) for file in FILES}
    assert list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("file", PAPERS)
def test_a_method_knows_no_other_method(file: str) -> None:
    others = {f"selfsent.methods.{Path(other).stem}" for other in PAPERS if other != file}
    assert [name for name in imported(file) if within(name, others)] == []


@pytest.mark.parametrize("file", FILES)
def test_a_file_is_named_after_its_mechanism_and_short(file: str) -> None:
    assert Path(file).stem not in {"utils", "helpers", "common", "misc", "base"}
    text = (PACKAGE / file).read_text("utf8")
    assert len(text.splitlines()) <= MAX_LINES
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    bodies = {node.name: _num_body_lines(node) for node in functions}
    assert {name: lines for name, lines in bodies.items() if lines > MAX_FUNCTION_LINES} == {}


def _num_body_lines(function: ast.FunctionDef) -> int:
    """Lines of a function without its signature and docstring."""
    first = function.body[1 if ast.get_docstring(function) and len(function.body) > 1 else 0]
    return (function.end_lineno or 0) - first.lineno + 1


def test_a_folder_of_tests_stands_where_what_it_tests_stands() -> None:
    tests = ROOT / "tests"
    folders = {path.parent.relative_to(tests).as_posix() for path in tests.rglob("test_*.py")}
    assert folders - {Path(file).parent.as_posix() for file in FILES} == set()


def test_every_file_has_a_test_of_its_path_or_a_line_that_names_its_test() -> None:
    listed = [f"{file}.py" for files in TESTED_THROUGH.values() for file in files.split()]
    own = [file for file in FILES if (ROOT / "tests" / file).with_name(f"test_{Path(file).name}").is_file()]
    without = [file for file in FILES if file not in own and Path(file).stem != "__init__"]
    assert sorted(listed) == without
    assert all((ROOT / "tests" / f"{test}.py").is_file() for test in TESTED_THROUGH)


def test_committed_text_names_no_place_of_one_machine() -> None:
    places = ("/" + "work/", "/" + "tmp/", "/" + "root/", "/" + "home/")
    found = [
        f"{path.relative_to(ROOT)}: {place}"
        for folder in ("src", "docs", "recipes", "benchmarks", "tools")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in {".py", ".md", ".toml"}
        for place in places
        if place in path.read_text("utf8")
    ]
    assert found == []

"""The start of a build: what can be refused by names alone is, before the seconds that importing torch takes."""

from pathlib import Path
from typing import Any

from selfsent.document_build.build_folder import BuildFolder
from selfsent.document_build.build_request import BuildRequest
from selfsent.documents import open_documents
from selfsent.loading import refuse_missing, refuse_no_model


def build(request: BuildRequest) -> dict[str, Any]:
    """Read documents, learn from them, measure, index and report; stages that are done already are skipped.

    Args:
        request: What a person asks.

    Returns:
        The report, as ``report.json`` holds it, with the map and the examples of the page.

    Raises:
        UserError: The folder is somebody else's or being written, a model cannot be opened, or no document can be
            read. A folder that was new is not left behind then.
    """
    folder = BuildFolder(Path(request.output).expanduser().absolute())
    folder.require_own()
    if folder.needs_learning(retrain=request.retrain):
        _refuse_missing_models(request)
    documents = open_documents(
        request.source,
        unit=request.unit,
        columns=request.columns,
        on_bad_row=request.on_bad_row,
        exclude=[folder.path],
    )
    from selfsent.document_build.building import build_in  # noqa: PLC0415 it imports torch

    return build_in(folder, request, documents)


def _refuse_missing_models(request: BuildRequest) -> None:
    """Refuse models that are not where they are said to be; their files are read later."""
    for named in (request.model, request.teacher):
        if named is not None:
            refuse_no_model(named)
    if request.starts_from_transformer:
        refuse_missing(request.made_of)

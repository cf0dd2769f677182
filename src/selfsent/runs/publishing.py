"""Send a trained model to the hub: the files of the model, and nothing else of its run."""

import json
import os
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError, OfflineModeIsEnabled

from selfsent.errors import UserError
from selfsent.training.run_folder import RECORD_FILE

_TRANSPORT_FAILURE: type[Exception] = HfHubHTTPError.__mro__[1]
"""The error of the HTTP library that huggingface_hub uses; the library differs between its versions."""
_FAILURES = (_TRANSPORT_FAILURE, HFValidationError, LocalTokenNotFoundError, OfflineModeIsEnabled, OSError)
_FORBIDDEN = {401, 403}


def require_access(name: str) -> None:
    """Ask the hub who the user is, before a training whose model is to be sent there.

    Args:
        name: Name of the repository, ``NAME`` or ``OWNER/NAME``.

    Raises:
        UserError: The hub cannot be reached, or nobody is logged in.
    """
    try:
        _hub().whoami()
    except _FAILURES as error:
        raise UserError(f"cannot send a model to {name}: {_reason(error)}") from error


def publish(folder: Path, name: str) -> str:
    """Send the model in a folder to a repository of the hub; a missing repository is created, as a private one.

    Checkpoints, metrics and the record of the run stay here: the record names places on this machine.

    Args:
        folder: Folder of a finished run.
        name: Name of the repository, ``NAME`` or ``OWNER/NAME``.

    Returns:
        Where the model is.

    Raises:
        UserError: There is no finished model in the folder, or the hub refuses.
    """
    files = files_of_model(folder)
    hub = _hub()
    try:
        repository = hub.create_repo(name, private=True, exist_ok=True)
        hub.upload_folder(
            repo_id=repository.repo_id,
            folder_path=folder,
            allow_patterns=[pattern for file in files for pattern in (file, f"{file}/*")],
            commit_message="Add a model trained with selfsent",
        )
    except _FAILURES as error:
        raise UserError(f"cannot send {folder} to {name}: {_reason(error)}; the model is unharmed") from error
    return str(repository)


def files_of_model(folder: Path) -> list[str]:
    """The names of the files and folders that a finished run's model consists of.

    Raises:
        UserError: The folder holds no finished run.
    """
    path = folder / RECORD_FILE
    record: dict[str, Any] = json.loads(path.read_text("utf8")) if path.is_file() else {}
    if record.get("status") != "finished" or not record.get("files"):
        raise UserError(f"{folder} must hold a finished run to be sent to the hub; finish it with --resume")
    return [str(name) for name in record["files"]]


def _hub() -> HfApi:
    return HfApi(endpoint=os.environ.get("HF_ENDPOINT"), library_name="selfsent")


def _reason(error: Exception) -> str:
    """One line: what happened, and what to do."""
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
    if isinstance(error, LocalTokenNotFoundError) or status in _FORBIDDEN:
        return "you are not logged in to the hub, or may not write there; log in with `hf auth login`, or set HF_TOKEN"
    if isinstance(error, OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set; unset it to reach the hub"
    return " ".join(str(error).split())[:200]

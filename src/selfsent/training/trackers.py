"""The trackers that a run may report to, checked before anything is read."""

import importlib.util
from collections.abc import Sequence

from selfsent.errors import UserError, did_you_mean

TRACKERS = {"tensorboard": "tensorboard", "trackio": "trackio", "wandb": "wandb"}
"""The trackers by their name, and the package that each one needs. The host knows more."""

_NO_TRACKERS = {"none", "all"}


def require_trackers(names: str | Sequence[str] | None) -> None:
    """Refuse trackers that are not known or not installed.

    Args:
        names: Name or names, as the host's ``report_to`` takes them.

    Raises:
        UserError: The host has no such tracker, or its package is not installed.
    """
    wanted = [names] if isinstance(names, str) else list(names or ())
    for name in wanted:
        if name in _NO_TRACKERS:
            continue
        known = _known_to_the_host()
        if name not in known:
            near = did_you_mean(name, known)
            raise UserError(f"--report-to must be a tracker, got {name!r}{near}; known are {', '.join(TRACKERS)}")
        package = TRACKERS.get(name)
        if package is not None and importlib.util.find_spec(package) is None:
            raise UserError(f"--report-to {name} needs the package {package}: `pip install {package}`")


def _known_to_the_host() -> Sequence[str]:
    from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK  # noqa: PLC0415 takes a second

    return list(INTEGRATION_TO_CALLBACK)

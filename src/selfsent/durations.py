"""How long something will take, in words."""

_FEW_SECONDS = 10
_MANY_SECONDS = 90


def about(seconds: float) -> str:
    """Say how long something takes, in words.

    Args:
        seconds: An estimate.

    Returns:
        ``a few seconds``, ``about 40 seconds`` or ``about 3 minutes``.
    """
    if seconds < _FEW_SECONDS:
        return "a few seconds"
    if seconds < _MANY_SECONDS:
        return f"about {10 * round(seconds / 10)} seconds"
    return f"about {round(seconds / 60)} minutes"

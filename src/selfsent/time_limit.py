"""Time limits: a loop asks before its next round whether there is time."""

import math
import time


class TimeLimit:
    """The time at which a run should end. It does not count as a setting of the run: a resumed run may have another.

    Args:
        minutes: From now on; ``None``: no limit.
    """

    def __init__(self, minutes: float | None = None) -> None:
        self.seconds = math.inf if minutes is None else 60 * minutes
        self._end = time.monotonic() + self.seconds

    @property
    def seconds_left(self) -> float:
        """Seconds until the end, 0 after it."""
        return max(0.0, self._end - time.monotonic())

    def allows(self, seconds: float) -> bool:
        """Tell whether something that takes so many seconds would end in time."""
        return seconds < self.seconds_left

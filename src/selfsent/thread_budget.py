"""One number of threads for every library that brings a pool of its own.

torch and its MKL, numpy's OpenBLAS, numba's loops and the tokenizers each count the cores and take them all. Each reads
its own variable of the environment when it is imported, so the budget has to be set before.
"""

from collections.abc import MutableMapping

from selfsent.errors import UserError

VARIABLE = "SELFSENT_THREADS"
_MOST = 1024
_OF_LIBRARIES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS")


def share_threads(environment: MutableMapping[str, str]) -> None:
    """Give every library the budget of ``SELFSENT_THREADS``, where that is set; more threads than cores are allowed.

    Args:
        environment: Of this process.

    Raises:
        UserError: The budget is not a whole number of 1 or more.
    """
    budget = environment.get(VARIABLE)
    if not budget:
        return
    if not (budget.isascii() and budget.isdigit() and 0 < int(budget) <= _MOST):
        raise UserError(
            f"{VARIABLE} must be a whole number from 1 to {_MOST}, got {budget!r}; unset it to use all cores"
        )
    environment.update(dict.fromkeys(_OF_LIBRARIES, budget))

import os
import subprocess
import sys

import pytest

from selfsent.errors import UserError
from selfsent.thread_budget import share_threads

_COUNT = """
import os
from selfsent.thread_budget import share_threads
share_threads(os.environ)
import numba, torch
from threadpoolctl import threadpool_info
import numpy, scipy.linalg
print(torch.get_num_threads(), numba.get_num_threads(), *{pool["num_threads"] for pool in threadpool_info()})
"""


@pytest.mark.parametrize("budget", ["1", "3"])
def test_every_library_gets_the_budget_also_above_the_number_of_cores(budget: str):
    environment = {**os.environ, "SELFSENT_THREADS": budget, "OMP_NUM_THREADS": "7"}
    result = subprocess.run(
        [sys.executable, "-c", _COUNT], env=environment, capture_output=True, text=True, check=True, timeout=200
    )
    of_torch, of_numba, *of_pools = map(int, result.stdout.split())
    assert of_numba == int(budget)
    assert max(of_torch, *of_pools) <= int(budget)  # MKL and OpenBLAS never take more than there are cores


def test_without_a_budget_the_environment_stays_as_it_is():
    environment = {"OMP_NUM_THREADS": "7"}
    share_threads(environment)
    assert environment == {"OMP_NUM_THREADS": "7"}


@pytest.mark.parametrize("budget", ["0", "-1", "two", "1.5", "99999", "²"])
def test_what_is_not_a_number_of_threads_is_refused(budget: str):
    with pytest.raises(UserError, match=rf"SELFSENT_THREADS must be a whole number from 1 to 1024, got '{budget}'"):
        share_threads({"SELFSENT_THREADS": budget})


def test_the_command_line_refuses_it_in_one_line():
    environment = {**os.environ, "SELFSENT_THREADS": "many"}
    result = subprocess.run(
        [sys.executable, "-m", "selfsent", "--help"], env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert result.stderr.splitlines() == [
        "error: SELFSENT_THREADS must be a whole number from 1 to 1024, got 'many'; unset it to use all cores"
    ]

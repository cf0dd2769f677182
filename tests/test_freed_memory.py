import platform
import subprocess
import sys

import pytest

from selfsent.freed_memory import give_back, kept_memory

_FAULTS = """
import resource, torch
from contextlib import nullcontext
from selfsent.freed_memory import kept_memory

def faults(num_rounds):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(num_rounds):
        torch.ones(1 << 24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(faults(8))
with kept_memory():
    faults(20)
    print(faults(8))
print(faults(8))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told what to do with freed memory")
def test_within_the_block_freed_memory_is_used_again_and_afterwards_as_before():
    result = subprocess.run([sys.executable, "-c", _FAULTS], capture_output=True, text=True, check=True, timeout=200)
    before, within, afterwards = map(int, result.stdout.split())
    assert within < before / 4
    assert afterwards > before / 8


def test_where_the_c_library_is_another_nothing_is_done(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr("ctypes.CDLL", None)  # calling it would fail
    give_back()
    with kept_memory():
        pass

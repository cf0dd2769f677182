import pytest
import torch

from selfsent.device import checked_device
from selfsent.errors import UserError


@pytest.mark.parametrize("name", [None, "cpu"])
def test_a_device_that_is_there_is_given_back(name: str | None) -> None:
    assert checked_device(name) == name


@pytest.mark.parametrize("name", ["cuda:99", "mps:99", "toaster", ""])
def test_a_device_that_is_not_there_is_refused_with_what_there_is(name: str) -> None:
    found = torch.accelerator.device_count() if torch.accelerator.is_available() else 0
    with pytest.raises(
        UserError, match=rf"^the device '{name}' cannot be used; .* the cpu and {found} accel"
    ) as caught:
        checked_device(name)
    assert "\n" not in str(caught.value)

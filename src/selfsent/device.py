"""Checking a device that a person named, before anything is loaded onto it."""

import torch

from selfsent.errors import UserError


def checked_device(name: str | None) -> str | None:
    """Return a device's name if it can be used.

    Args:
        name: ``cpu``, ``cuda``, ``cuda:1``, ``mps``; ``None`` leaves the choice to the host.

    Returns:
        The same name.

    Raises:
        UserError: There is no such device on this machine, or no such kind of device.
    """
    if name is not None:
        try:
            torch.empty(0, device=name).cpu()
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            found = torch.accelerator.device_count() if torch.accelerator.is_available() else 0
            raise UserError(
                f"the device {name!r} cannot be used; this machine has the cpu and {found} accelerator(s), "
                "named such as cuda or cuda:1; leave --device out for the best there is"
            ) from error
    return name

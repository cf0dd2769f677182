"""An encoder with the moving average of a model's weights, which follows it step by step."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


class AveragedEncoder(nn.Module):
    """Encode with the exponential moving average of a model's weights; everything else is the model's own.

    The average is kept in persistent buffers, so it is saved with the loss that holds it and never trained. The model
    itself is not registered here: whoever holds both saves it once.

    Source: SCT (Limkonchotiwat et al., TACL 2023), ablation "f_ref -> EMA encoder"; the average itself is that of mean
    teachers (Tarvainen and Valpola, 2017).

    Args:
        model: The model to follow.
        decay: Share of the average kept at an update, in [0, 1) (not stated in the paper; 0.999 is common).
    """

    def __init__(self, model: nn.Module, *, decay: float = 0.999) -> None:
        super().__init__()
        self.decay = decay
        self._model = [model]  # a list, so that it is not registered
        for name, parameter in model.named_parameters():
            self.register_buffer(_buffer_name(name), parameter.detach().clone())

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the model's weights as they are now."""
        for name, parameter in self._followed().items():
            self.get_buffer(_buffer_name(name)).lerp_(parameter, 1 - self.decay)

    def forward(self, features: dict[str, Any]) -> Mapping[str, Any]:
        """Run the model's forward with the averaged weights."""
        weights = {name: self.get_buffer(_buffer_name(name)) for name in self._followed()}
        return torch.func.functional_call(self._model[0], weights, (features,))

    def _followed(self) -> dict[str, Tensor]:
        return dict(self._model[0].named_parameters())


def _buffer_name(parameter_name: str) -> str:
    return parameter_name.replace(".", "/")

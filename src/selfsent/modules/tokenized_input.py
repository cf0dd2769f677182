"""Input modules that are saved as configuration, weights and a tokenizer.json."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from sentence_transformers.base.modules import InputModule
from torch import Tensor

from selfsent.data.tokenizer import load_tokenizer
from selfsent.errors import UserError

_SCALES = ".scales"


class TokenizedInput(InputModule):
    """An input module built from its configuration and ``tokenizer``, saved and loaded alike whatever it computes."""

    described_as: ClassVar[str] = "module"
    """What an error calls it."""

    def save(self, output_path: str, *_: Any, safe_serialization: bool = True, **__: Any) -> None:
        """Write configuration, weights (safetensors) and tokenizer into a folder."""
        self.save_config(output_path)
        self.save_torch_weights(output_path, safe_serialization=safe_serialization)
        self.save_tokenizer(output_path)

    @classmethod
    def load(cls, model_name_or_path: str, subfolder: str = "", **kwargs: Any) -> "TokenizedInput":  # pyright: ignore[reportIncompatibleMethodOverride] the host's own modules narrow it alike
        """Read what ``save`` wrote, from a folder or the hub."""
        hub = {name: kwargs.get(name) for name in ("token", "cache_folder", "revision", "local_files_only")}
        place: dict[str, Any] = {"model_name_or_path": model_name_or_path, "subfolder": subfolder, **hub}
        config = cls.load_config(**place)
        tokenizer_path = cls.load_file_path(filename="tokenizer.json", **place)
        if tokenizer_path is None:
            raise UserError(
                f"no tokenizer.json beside the {cls.described_as} in {model_name_or_path}; save the model again"
            )
        module = cls(tokenizer=load_tokenizer(Path(tokenizer_path).parent), **config)
        weights: Any = cls.load_torch_weights(**place)
        module.load_state_dict(_in_float32(weights))
        return module


def _in_float32(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Make float32 of tables that are saved in int8, each row with its scale in ``NAME.scales``."""
    held = {name.removesuffix(_SCALES): scales for name, scales in weights.items() if name.endswith(_SCALES)}
    return {
        name: value.float() * held[name.rpartition(".")[0]][:, None] if value.dtype == torch.int8 else value
        for name, value in weights.items()
        if not name.endswith(_SCALES)
    }

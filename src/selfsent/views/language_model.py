"""Open a language model of transformers with its tokenizer; a model that cannot do the task is an error of one line."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from selfsent.data.source_files import expanded
from selfsent.device import checked_device
from selfsent.errors import UserError


@dataclass(frozen=True, kw_only=True)
class LanguageModel:
    """A model that is ready to use, and its tokenizer.

    Args:
        model: In evaluation mode, on its device.
        tokenizer: Has more than special tokens.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase


def open_language_model(path: str | Path, *, architecture: Any, task: str, device: str | None) -> LanguageModel:
    """Open a folder or hub name as one architecture; weights are read from safetensors only.

    Args:
        path: A folder of transformers, or a name on the hub.
        architecture: The auto class that opens it, such as ``AutoModelForMaskedLM``.
        task: What such a model is called, for the error texts: ``a masked LM``.
        device: Where to put it; ``None`` takes an accelerator if there is one.

    Returns:
        Model and tokenizer.

    Raises:
        UserError: There is no such folder or name, it is not of that architecture, or it lacks weights, a trained head
            or a tokenizer.
    """
    name = str(path)
    if (Path(name).is_absolute() or name.startswith((".", "~"))) and not expanded(name).is_dir():
        raise UserError(f"no model at {name}: the folder does not exist; name the folder of {task}, or its hub name")
    target = checked_device(device) or str(torch.accelerator.current_accelerator() or "cpu")
    model = _model(str(expanded(name)) if name.startswith("~") else name, architecture, task)
    return LanguageModel(model=model.eval().to(cast("Any", target)), tokenizer=_tokenizer(name, task))


def _model(name: str, architecture: Any, task: str) -> PreTrainedModel:
    try:
        model, report = architecture.from_pretrained(name, use_safetensors=True, output_loading_info=True)
    except (OSError, ValueError, ImportError, KeyError, RuntimeError, SafetensorError) as error:
        raise UserError(f"cannot open {name} as {task}: {_reason(error)}; name a model that is one") from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise UserError(
            f"{name} is not {task}: it holds no weights for {missing[0]} and {len(missing) - 1} others, which would "
            "start at random; name a model that was trained as one"
        )
    return model


def _tokenizer(name: str, task: str) -> PreTrainedTokenizerBase:
    advice = f"save the tokenizer of {task} beside its weights (Marian's needs `pip install sentencepiece`)"
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(expanded(name)) if name.startswith("~") else name)
    except (OSError, ValueError, ImportError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise UserError(f"cannot open the tokenizer of {name}: {_reason(error)}; {advice}") from error
    if len(tokenizer) <= len(
        set(tokenizer.all_special_ids)
    ):  # transformers makes an empty one where there are no files
        raise UserError(f"{name} has no tokenizer: only special tokens are in it; {advice}")
    return tokenizer


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__

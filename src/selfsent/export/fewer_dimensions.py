"""Models of fewer dimensions: embeddings projected onto their principal directions, or cut to their first values."""

import math
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from torch import nn

from selfsent.counts.principal_directions import principal_directions
from selfsent.modules.tree_encoder import TreeEncoder
from selfsent.modules.weighted_embedding import FrequencyWeightedEmbedding

Reduction = Literal["pca", "truncate"]


def directions_of(vectors: NDArray[np.float32] | None, dimension: int, width: int) -> NDArray[np.float32]:
    """Give what embeddings are multiplied by, ``(dimension, width)``.

    Args:
        vectors: Embeddings whose principal directions are taken; None cuts embeddings to their first values.
        dimension: D, values of an embedding.
        width: N, values that are left.
    """
    if vectors is None:
        return np.eye(dimension, width, dtype=np.float32)
    return principal_directions(vectors, width)


def narrowed(model: SentenceTransformer, directions: NDArray[np.float32]) -> SentenceTransformer:
    """Project a model's embeddings, in its table where that gives the same, else by a module behind the others.

    Embeddings that had length 1 have it again.

    Args:
        model: The model; its own modules go on in the new one.
        directions: ``(D, N)``, from ``directions_of``.
    """
    modules = list(model.children())
    end = [modules.pop()] if isinstance(modules[-1], Normalize) else []
    if len(modules) == 1 and isinstance(modules[0], StaticEmbedding):
        modules = [_static(modules[0], directions)]
    elif len(modules) == 1 and isinstance(modules[0], TreeEncoder) and modules[0].adds_leaves:
        modules = [_sums(modules[0], directions)]
    else:
        modules.append(_projection(directions))
    return SentenceTransformer(
        modules=[*modules, *end],
        device=str(model.device),
        prompts={name: prompt or "" for name, prompt in model.prompts.items()},
        default_prompt_name=model.default_prompt_name,
        similarity_fn_name=model.similarity_fn_name,
    )


def _projection(directions: NDArray[np.float32]) -> Dense:
    weight = torch.from_numpy(np.ascontiguousarray(directions.T))
    return Dense(*directions.shape, bias=False, activation_function=nn.Identity(), init_weight=weight)


def _static(module: StaticEmbedding, directions: NDArray[np.float32]) -> StaticEmbedding:
    return StaticEmbedding(
        module.tokenizer, embedding_weights=module.embedding.weight.detach().cpu().numpy() @ directions
    )


def _sums(module: TreeEncoder, directions: NDArray[np.float32]) -> TreeEncoder:
    """A tree encoder whose cell adds its children: a sum is projected by projecting what is added."""
    width = directions.shape[1]
    size = math.gcd(width, module.options.channel_size)
    settings: dict[str, Any] = module.get_config_dict() | {
        "channel_size": size,
        "channels": width // size,
        "composition_init": "sum",
    }
    narrow = TreeEncoder(tokenizer=module.tokenizer, **settings)
    with torch.no_grad():
        narrow.embedding.weight.copy_(module.embedding.weight @ torch.from_numpy(directions))
    if isinstance(module.embedding, FrequencyWeightedEmbedding):
        assert isinstance(narrow.embedding, FrequencyWeightedEmbedding), "of the same options"  # noqa: S101 our own invariant
        narrow.embedding.token_weights.copy_(module.embedding.token_weights)
    return narrow

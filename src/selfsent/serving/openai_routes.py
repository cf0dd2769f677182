"""Embeddings as the OpenAI API gives them, so that its clients can be pointed here."""

import base64
import time
from typing import Any

import numpy as np
from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from numpy.typing import NDArray

from selfsent.errors import UserError
from selfsent.serving.bodies import EmbeddingsBody, EmbeddingsOut, ModelOut, ModelsOut, OpenAIProblem
from selfsent.serving.model import Prompt
from selfsent.serving.problems import MissingError
from selfsent.serving.service import Service
from selfsent.serving.store_routes import REFUSALS

_OWNER = "selfsent"
_UNIT_LENGTH = 1e-3

Encoded = tuple[NDArray[np.float32], int]


def openai_routes(service: Service) -> APIRouter:
    """Make the endpoints that OpenAI's clients ask."""
    refusals = {status: told | {"model": OpenAIProblem} for status, told in REFUSALS.items()}
    router = APIRouter(prefix="/v1", tags=["OpenAI"], responses=refusals)
    created = int(time.time())

    def described() -> dict[str, Any]:
        return {"id": service.model.name, "object": "model", "created": created, "owned_by": _OWNER}

    def encode(prompt: Prompt, texts: list[str]) -> list[Encoded]:
        return list(zip(service.model.encode(texts, prompt), service.model.count_tokens(texts), strict=True))

    @router.post("/embeddings", response_model=None, responses={200: {"model": EmbeddingsOut}})
    async def embeddings(body: EmbeddingsBody) -> Response:
        """Embed texts; the vectors are those of `selfsent encode`."""
        texts = body.input
        dimension = service.model.dimension
        if body.dimensions is not None and body.dimensions > dimension:
            raise UserError(
                f"dimensions must be at most {dimension} for the model {service.model.name}, got {body.dimensions}"
            )
        prompt = body.input_type
        encoded: list[Encoded] = await service.work(
            "encode", ("embeddings", prompt), lambda some: encode(prompt, some), texts
        )
        as_base64 = body.encoding_format == "base64"
        vectors = [_written(_shortened(vector, body.dimensions), as_base64=as_base64) for vector, _ in encoded]
        num_tokens = sum(count for _, count in encoded)
        return JSONResponse(
            {
                "object": "list",
                "data": [{"object": "embedding", "index": at, "embedding": one} for at, one in enumerate(vectors)],
                "model": service.model.name,
                "usage": {"prompt_tokens": num_tokens, "total_tokens": num_tokens},
            }
        )

    @router.get("/models", response_model=None, responses={200: {"model": ModelsOut}})
    async def models() -> Response:
        """List the models: the one that is served."""
        return JSONResponse({"object": "list", "data": [described()]})

    @router.get("/models/{name:anything}", response_model=None, responses={200: {"model": ModelOut}})
    async def model(name: str) -> Response:
        """Describe the model that is served."""
        if name != service.model.name:
            raise MissingError(
                f"there is one model here, {service.model.name}; leave the name out, or ask for this one"
            )
        return JSONResponse(described())

    return router


def _shortened(vector: NDArray[np.float32], dimensions: int | None) -> NDArray[np.float32]:
    """Keep the leading values of a vector; one of length 1 has length 1 again, as OpenAI's have."""
    if dimensions is None or dimensions == len(vector):
        return vector
    kept = vector[:dimensions]
    length = float(np.linalg.norm(kept))
    is_unit = abs(float(np.linalg.norm(vector)) - 1) < _UNIT_LENGTH
    return kept / np.float32(length) if is_unit and length > 0 else kept


def _written(vector: NDArray[np.float32], *, as_base64: bool) -> str | list[float]:
    if as_base64:
        return base64.b64encode(vector.astype("<f4").tobytes()).decode()
    return vector.tolist()

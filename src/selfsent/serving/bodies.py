"""What requests hold and what answers hold, as the OpenAPI description says it."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

MAX_TEXTS = 2048
"""Texts of one request for embeddings, as in the OpenAI API, and twice the pairs of one for similarities."""

MAX_TEXT_CHARACTERS = 50_000
MAX_QUERY_CHARACTERS = 10_000
MAX_HITS = 1000
"""The last place of a ranking that can be asked for."""

Text = Annotated[str, Field(max_length=MAX_TEXT_CHARACTERS)]
NotEmpty = Annotated[str, Field(min_length=1, max_length=MAX_TEXT_CHARACTERS)]
Query = Annotated[str, Field(min_length=1, max_length=MAX_QUERY_CHARACTERS)]


_TEXT_SCHEMA = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT_CHARACTERS}
_TEXTS_SCHEMA = {"type": "array", "items": _TEXT_SCHEMA, "minItems": 1, "maxItems": MAX_TEXTS}


def _texts_of_input(value: Any) -> Any:
    """Make a list of one text, and refuse token ids, which clients make with the tokenizer of another model."""
    if isinstance(value, list) and any(isinstance(one, int | list) for one in value):
        raise ValueError(
            "text, since token ids of another tokenizer mean nothing to this model (LangChain:"
            " check_embedding_ctx_length=False)"
        )
    return [value] if isinstance(value, str) else value


def _whole(value: Any) -> Any:
    """Take 3.0 for 3: JSON has one kind of number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]


class _Asked(BaseModel):
    """A body whose values are not converted, and in which an unknown name is a mistake."""

    model_config = ConfigDict(strict=True, extra="forbid")


class SearchBody(_Asked):
    """A search."""

    query: Query = Field(description="What to look for.")
    k: Whole = Field(10, ge=1, le=MAX_HITS, description="How many documents.")
    offset: Whole = Field(0, ge=0, lt=MAX_HITS, description="How many of the best to leave out.")
    mode: Literal["hybrid", "vector", "text"] | None = Field(
        None, description="Compare both (default), meanings, words."
    )
    where: Query | None = Field(None, description="A filter over the columns of the store.")
    all: bool = Field(False, description="Give weak answers too.")


class PairsBody(_Asked):
    """Pairs of texts to compare."""

    pairs: list[Annotated[list[Text], Field(min_length=2, max_length=2)]] = Field(max_length=MAX_TEXTS // 2)


class EmbeddingsBody(BaseModel):
    """Texts to embed, as the OpenAI API takes them; unknown names are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore")

    input: Annotated[
        list[NotEmpty],
        BeforeValidator(_texts_of_input),
        Field(min_length=1, max_length=MAX_TEXTS),
        WithJsonSchema({"anyOf": [_TEXT_SCHEMA, _TEXTS_SCHEMA]}),
    ]
    model: str = Field("", max_length=1000, description="Ignored: the one model that is served answers.")
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Whole | None = Field(None, ge=1, description="Leading values of each vector.")
    user: str | None = Field(None, description="Not read.")
    input_type: Literal["query", "document"] | None = Field(
        None, description="Which prompt of the model to put before."
    )


class Problem(BaseModel):
    """What is wrong with a request, and what to do."""

    detail: str


class OpenAIProblem(BaseModel):
    """What is wrong with a request, in the form that the OpenAI client reads."""

    error: dict[str, Any]


class MatchOut(BaseModel):
    """A part of a passage that matches: a word of the query, or the phrase of a tree model that is nearest to it."""

    start: int
    end: int
    kind: Literal["word", "phrase"]


class HitOut(BaseModel):
    """A document that answers."""

    rank: int
    score: float
    document: str
    title: str
    file: str | None
    start: int
    end: int
    text: str
    matches: list[MatchOut]


class AnswersOut(BaseModel):
    """What a search found."""

    hits: list[HitOut]
    hidden: int


class PassageOut(BaseModel):
    """Where a passage stands in its document."""

    id: str
    start: int
    end: int


class DocumentOut(BaseModel):
    """A document, whole."""

    document: str
    title: str
    text: str
    passages: list[PassageOut]
    file: str | None = None


class NodeOut(BaseModel):
    """A node of a tree, in characters of the text."""

    id: int
    start: int
    end: int
    left: int | None = None
    right: int | None = None
    parent: int | None = None


class TreeOut(BaseModel):
    """The tree of a text."""

    text: str
    nodes: list[NodeOut]


class SimilaritiesOut(BaseModel):
    """Cosines of pairs."""

    similarities: list[float]


class MapOut(BaseModel):
    """Passages in two dimensions, by columns."""

    x: list[float]
    y: list[float]
    document: list[str]
    title: list[str]
    group: list[int]
    start: list[int]
    end: list[int]
    groups: list[str]
    passages: int


class StatusOut(BaseModel):
    """How the service is."""

    status: str


class FactsOut(BaseModel):
    """What the service speaks with."""

    model: dict[str, Any]
    store: dict[str, Any]
    report: bool


class EmbeddingOut(BaseModel):
    """A vector, as numbers or as float32 in base64."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class UsageOut(BaseModel):
    """Tokens that were read."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsOut(BaseModel):
    """Vectors of texts."""

    object: Literal["list"]
    data: list[EmbeddingOut]
    model: str
    usage: UsageOut


class ModelOut(BaseModel):
    """The model."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelsOut(BaseModel):
    """The models there are: one."""

    object: Literal["list"]
    data: list[ModelOut]

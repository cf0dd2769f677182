"""How much one request may ask, how long it may take, and how many may wait."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a service accepts.

    Args:
        max_body_bytes: Bytes of a body.
        max_texts: Texts of one request for embeddings (what the OpenAI API accepts), and pairs of one for similarities.
        max_text_characters: Characters of a text that is encoded.
        max_query_characters: Characters of a query, of a text whose tree is drawn, and of a filter.
        max_hits: Last place in a ranking that can be asked for (``offset`` + ``k``).
        max_waiting: Pieces of work of one kind that wait; a piece is a query, or ``texts_a_piece`` texts.
        texts_a_piece: Texts encoded at once.
        header_timeout_s: Seconds a client may take to send a request's head.
        body_timeout_s: Seconds a client may take to send a body.
        answer_timeout_s: Seconds a request may wait for its answer.
        max_connections: Open connections; one more is told to come back later.
    """

    max_body_bytes: int = 8 * 2**20
    max_texts: int = 2048
    max_text_characters: int = 50_000
    max_query_characters: int = 10_000
    max_hits: int = 1000
    max_waiting: int = 128
    texts_a_piece: int = 32
    header_timeout_s: float = 10.0
    body_timeout_s: float = 20.0
    answer_timeout_s: float = 30.0
    max_connections: int = 512

"""How long a request may be and take, and how many may wait."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of a service; those of a single request are in ``selfsent.serving.bodies``.

    Args:
        max_body_bytes: Bytes of a body.
        max_waiting: Pieces of work of one kind that wait; a piece is a query, or ``texts_a_piece`` texts.
        max_wait_s: Seconds that the pieces before a new one may take; beyond, it is refused although there is room.
        texts_a_piece: Texts encoded, or queries answered, at once.
        max_requests: Requests that are being read or answered at once.
        max_connections: Connections that are open at once, with or without a request.
        head_timeout_s: Seconds a client may take to send a request's head.
        body_timeout_s: Seconds a client may take to send a body.
        answer_timeout_s: Seconds a request may wait for its answer.
    """

    max_body_bytes: int = 8 * 2**20
    max_waiting: int = 128
    max_wait_s: float = 8.0
    texts_a_piece: int = 32
    max_requests: int = 256
    max_connections: int = 800
    head_timeout_s: float = 10.0
    body_timeout_s: float = 20.0
    answer_timeout_s: float = 30.0

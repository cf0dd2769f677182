"""Two views of a batch compared by how each lies among the rows of a queue."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn

from selfsent.errors import UserError
from selfsent.kernels.queue_softmax import queue_softmax
from selfsent.modules.instance_queue import InstanceQueue, gathered
from selfsent.options import Options, option, takes

Comparison = Literal["distribution", "contrastive"]
Divergence = Literal["kl", "ce"]
Queues = Literal["two", "one", "frozen", "none"]
Enqueue = Literal["before", "after"]
Reduction = Literal["mean", "sum"]

Views = tuple[Float[Tensor, "B D"], Float[Tensor, "B D"]]
Candidates = tuple[list[Tensor], list[Tensor]]
"""Of each view the blocks of rows that vectors are compared with: the queue, the batch, or both."""


@dataclass(frozen=True, kw_only=True)
class QueueOptions(Options):
    """How two views are compared among the rows of a queue; the defaults are SCT's for BERT-Tiny.

    Args:
        temperature: tau_theta, divides online similarities (paper, Table 1: 0.03 to 0.05 by model size; Tiny 0.04).
        reference_temperature: tau_ref, divides the references' similarities (paper, Table 1: 0.01 to 0.04; Tiny 0.03).
        queue_size: K, rows of a queue (paper, Table 1: 16,384 to 131,072; Tiny 131,072).
        queues: ``two``, one a view; ``one`` for both; ``frozen``: two that keep the random rows of the start, beside
            the batch; ``none``: the batch alone.
        enqueue: ``before``: the batch enters first and is compared with K rows, its own among them (paper); ``after``:
            it is compared with the K rows and itself and enters then (released code).
        comparison: ``distribution``; or ``contrastive``: InfoNCE, the other view's reference the positive.
        cross_view: Whether a view is compared with the other one's reference (paper), or with its own.
        divergence: ``kl``, or cross-entropy ``ce``; their gradients are equal.
        reduction: ``mean`` of both directions (paper), or their ``sum`` (released code).
    """

    temperature: float = option(0.04, above=0)
    reference_temperature: float = option(0.03, above=0)
    queue_size: int = 131_072
    queues: Queues = "two"
    enqueue: Enqueue = "before"
    comparison: Comparison = "distribution"
    cross_view: bool = True
    divergence: Divergence = "kl"
    reduction: Reduction = "mean"


class QueueComparison(nn.Module):
    """Ask online vectors to lie among the rows of a queue as reference vectors do; holds the queues.

    ``functional.cross_view`` is the formula of the defaults. It is computed tile by tile (`kernels.queue_softmax`): no
    probability of the batch over the queue is stored, forward or backward. Gradients reach the online vectors alone.
    ``forward`` puts the references of all ranks into the queues, but only where gradients are on.

    Source: SCT (Limkonchotiwat et al., TACL 2023), Section 3 and the ablations of its Section 5.
    Differs: with ``divergence="ce"`` the gradient is that of ``"kl"``, whose further term holds no online vector; what
    the paper's table shows between the two is not explained by the formula. The paper does not say what ``one`` queue
    holds; here it is the references of both views.

    Args:
        width: D of the vectors.
        options: Settings by keyword; see `QueueOptions`.

    Raises:
        UserError: A number is out of range or a choice is unknown; in ``forward``: the queue is smaller than the batch.
    """

    @takes(QueueOptions)
    def __init__(self, width: int, options: QueueOptions) -> None:
        super().__init__()
        self.options = options
        num_queues = {"two": 2, "one": 1, "frozen": 2, "none": 0}[options.queues]
        self.queues = nn.ModuleList(InstanceQueue(options.queue_size, width) for _ in range(num_queues))

    def forward(self, online: Views, references: Views) -> Float[Tensor, ""]:
        """Return the objective of a batch (mean over its sentences, nats), and let the queues advance.

        Args:
            online: Unit vectors of both views, with gradient.
            references: Unit vectors of both views; detached.
        """
        candidates = self.candidates(references)
        loss = self.compare(online, references, candidates)
        self.advance(references)
        return loss

    def candidates(self, references: Views) -> Candidates:
        """Return what each view is compared with; with ``enqueue="before"`` the references enter their queues."""
        rows_by_queue = self._rows_by_queue(references)
        if self.options.queues in ("two", "one") and self.options.enqueue == "before":
            blocks = [[queue.enqueue(rows)] for queue, rows in zip(self._held, rows_by_queue, strict=True)]
        else:
            blocks = [[gathered(rows)] for rows in rows_by_queue]
            for queue, block in zip(self._held, blocks, strict=False):
                block.insert(0, queue.rows)
        return blocks[0], blocks[-1]

    def advance(self, references: Views) -> None:
        """Put the references into the queues where ``enqueue="after"``; without gradients nothing is kept."""
        if self.options.queues in ("two", "one") and self.options.enqueue == "after" and torch.is_grad_enabled():
            for queue, rows in zip(self._held, self._rows_by_queue(references), strict=True):
                queue.enqueue(rows)

    def compare(self, online: Views, references: Views, candidates: Candidates) -> Float[Tensor, ""]:
        """Return the objective against given candidates; no state changes."""
        facing = online[::-1] if self.options.cross_view else online
        triples = zip(facing, references, candidates, strict=True)
        terms = [
            self._divergence(_exact(rows), _exact(reference.detach()), blocks) for rows, reference, blocks in triples
        ]
        return torch.stack(terms).sum() / (len(terms) if self.options.reduction == "mean" else 1)

    def _divergence(self, online: Tensor, reference: Tensor, blocks: list[Tensor]) -> Tensor:
        """Mean over sentences of one direction's divergence."""
        queries = online / self.options.temperature
        if self.options.comparison == "contrastive":
            log_sums, _ = queue_softmax(queries, *blocks)
            return (log_sums - (queries * reference).sum(dim=1)).mean()
        targets = reference / self.options.reference_temperature
        log_sums, means = queue_softmax(torch.cat([targets, queries]), *blocks)
        target_log_sums, online_log_sums = log_sums.chunk(2)
        target_means = means[: len(targets)]
        cross_entropy = online_log_sums - (queries * target_means).sum(dim=1)
        if self.options.divergence == "ce":
            return cross_entropy.mean()
        negative_entropy = (targets * target_means).sum(dim=1) - target_log_sums
        return (cross_entropy + negative_entropy).mean()

    @property
    def _held(self) -> list[InstanceQueue]:
        return cast("list[InstanceQueue]", list(self.queues))

    def _rows_by_queue(self, references: Views) -> list[Tensor]:
        """The references that belong to each queue: one view's, or both views' where there is one queue for both."""
        views = [rows.detach() for rows in references]
        by_queue = [torch.cat(views)] if self.options.queues == "one" else views
        num_rows = len(by_queue[0]) * (dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1)
        queue_size = self.options.queue_size
        if len(self.queues) and num_rows > queue_size:
            raise UserError(
                f"a queue of {queue_size:,} rows is smaller than the {num_rows:,} that a batch puts into it;"
                " set queue_size higher, --batch-size lower, or queues=none"
            )
        return by_queue

    def get_config_dict(self) -> dict[str, Any]:
        """Name the settings for the model card."""
        return asdict(self.options)


def _exact(rows: Tensor) -> Tensor:
    """Rows in float32 at least: logarithms of sums are large beside the divergence that is their difference."""
    return rows.float() if rows.dtype in (torch.bfloat16, torch.float16) else rows

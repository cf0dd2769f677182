"""The self-supervised cross-view objective of SCT: two views, compared by their similarities to the rows of a queue."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

import torch
import torch.distributed as dist
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn
from torch.nn import functional

from selfsent.errors import UserError
from selfsent.kernels.gathered_rows import trains_across_ranks
from selfsent.kernels.queue_softmax import queue_softmax
from selfsent.losses.averaged_encoder import AveragedEncoder
from selfsent.losses.functional import similarity_distribution
from selfsent.losses.sentence_pass import Features, embed_columns, two_views, width_of
from selfsent.modules.instance_queue import InstanceQueue, gathered
from selfsent.options import Options, option, takes

Reference = Literal["same", "online", "ema"]
Head = Literal["mlp", "none"]


Comparison = Literal["distribution", "contrastive", "vectors"]
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
        queue_size: K, rows of a queue (paper, Table 1: 16,384 to 131,072; Tiny 131,072). It is long
            enough when the loss is still one nat at step 200; a better base needs a longer queue (our runs,
            docs/methods/sct.md).
        queues: ``two``, one a view; ``one`` for both; ``frozen``: two that keep the random rows of the start, beside
            the batch; ``none``: the batch alone.
        enqueue: ``before``: the batch enters first and is compared with K rows, its own among them (paper); ``after``:
            it is compared with the K rows and itself and enters then (released code).
        comparison: ``distribution``; ``contrastive``: InfoNCE, the other view's reference the positive; or ``vectors``:
            the squared distance from that reference itself, without queues.
        cross_view: Whether a view is compared with the other one's reference (paper), or with its own.
        divergence: ``kl``, or cross-entropy ``ce``; their gradients are equal.
        reduction: ``mean`` of both directions (paper), or their ``sum`` (released code).
        stop_gradient: Whether references are constants (paper); without it they learn too, and what the objective asks
            for is met by embeddings that are all alike. The queue's rows are constants either way.
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
    stop_gradient: bool = True


@dataclass(frozen=True, kw_only=True)
class EncodingOptions(Options):
    """How the two views of SCT are embedded.

    Args:
        reference: What gives the references: a second pass of the ``same`` weights (paper); the ``online`` pass, before
            the head, which saves that pass, a quarter of a step, and leaves a direction's two sides their different
            dropout (not with ``cross_view=False``); or a pass of the moving average ``ema`` of the weights.
        ema_decay: Share of the average kept a step, for ``ema`` (not stated in the paper).
        head: ``mlp``, three blocks d-10d-d over the online vectors, in training only (paper), or ``none``.
    """

    reference: Reference = "same"
    ema_decay: float = option(0.999, at_least=0, below=1)
    head: Head = "mlp"


@dataclass(frozen=True, kw_only=True)
class CrossViewOptions(EncodingOptions, QueueOptions):
    """Options of `CrossViewLoss`: how views are compared and how they are embedded."""

    def problems(self) -> list[str]:
        """Name the options that have a value they may not have, alone or together."""
        if self.reference == "ema" and not self.stop_gradient:
            together = "stop_gradient=false with reference=ema has no gradient, an average is a constant; drop one"
            return [*super().problems(), together]
        return super().problems()


class CrossViewLoss(nn.Module):
    """Train one view of a sentence to have the other view's similarities to earlier sentences.

    Each of two views is embedded twice: with gradient and through a head (online), and without either (reference). The
    reference vectors of view 2 give the similarities of sentence i to the queue of view 2; the online vector of view 1
    is trained to give the same ones, and the reverse. Unlike a contrastive loss this tells a small model how like two
    sentences are, not only that they differ.

    Source: SCT (Limkonchotiwat et al., TACL 2023), Section 3; every ablation of its Section 5 is a setting.
    Differs from the released code where the code differs from the paper: ``reduction="sum"`` and ``enqueue="after"``
    are the code's. Reference passes have dropout of their own, as there.

    Gradients reach the model and the head through the online vectors (and the references, unless ``stop_gradient``).
    ``forward`` moves the queues on (and the averaged
    weights of ``reference="ema"``), but only where gradients are on. Head and queues are not part of the saved model.
    The queues hold the model's width, so the loss cannot be wrapped in ``MatryoshkaLoss``.

    Inputs: two columns, the two views; or one column, whose views differ in dropout alone. Labels are not used.

    The checkpoints of sentence-transformers do not hold the head, the queues and the averaged weights: to resume a
    run, or to train on several devices, use `selfsent.training.trainer.ExactTrainer`.

    Args:
        model: The SentenceTransformer to train.
        options: Settings by keyword; see `EncodingOptions` and `QueueOptions`.

    Raises:
        UserError: A setting is out of range; in ``forward``: more than two columns, or a queue smaller than the batch.

    Example:
        ```python
        from datasets import Dataset
        from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer

        from selfsent.losses import CrossViewLoss

        model = SentenceTransformer("bert-base-uncased")
        dataset = Dataset.from_dict({"text": ["A cat sleeps on the roof.", "It rained all night."]})
        loss = CrossViewLoss(model, queue_size=16_384, temperature=0.04)
        trainer = SentenceTransformerTrainer(model=model, train_dataset=dataset, loss=loss)
        trainer.train()
        ```
    """

    @takes(CrossViewOptions)
    def __init__(self, model: SentenceTransformer, options: CrossViewOptions) -> None:
        super().__init__()
        self.model = model
        width = width_of(model)
        self.comparison = QueueComparison(width, **asdict(options.part(QueueOptions))).to(model.device)
        self.head = make_head(options.head, width).to(model.device)
        self.reference: Reference = options.reference
        self.average = make_average(options.reference, model, options.ema_decay)

    def forward(
        self,
        sentence_features: Iterable[Mapping[str, Any]],
        labels: Tensor | None = None,  # noqa: ARG002 the host passes labels
    ) -> Float[Tensor, ""]:
        """Return the mean over sentences of the divergence between the views, in nats."""
        views = two_views(sentence_features)
        online, references = encode(
            self.model,
            views,
            head=self.head,
            reference=self.reference,
            average=self.average,
            stop_gradient=self.comparison.options.stop_gradient,
        )
        return self.comparison(online, references)

    def get_config_dict(self) -> dict[str, Any]:
        """Name the settings for the model card."""
        return {
            **self.comparison.get_config_dict(),
            "head": type(self.head).__name__,
            "reference": self.reference if self.average is None else f"ema, decay {self.average.decay}",
        }

    @property
    def citation(self) -> str:
        """BibTeX entry of the source, for the model card."""
        return SCT_CITATION


class QueueComparison(nn.Module):
    """Compare online with reference vectors by their similarities to the rows of queues, which it holds.

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
        self.has_queues = options.comparison != "vectors"
        num_queues = num_queues if self.has_queues else 0
        self.queues = nn.ModuleList(InstanceQueue(options.queue_size, width) for _ in range(num_queues))

    def forward(self, online: Views, references: Views) -> Float[Tensor, ""]:
        """Return the objective of a batch (mean over its sentences, nats), and put its references into the queues.

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
        if not self.has_queues:
            return [], []
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
        is_fed = self.has_queues and self.options.queues in ("two", "one")
        if is_fed and self.options.enqueue == "after" and torch.is_grad_enabled():
            for queue, rows in zip(self._held, self._rows_by_queue(references), strict=True):
                queue.enqueue(rows)

    def compare(self, online: Views, references: Views, candidates: Candidates) -> Float[Tensor, ""]:
        """Return the objective against given candidates; no state changes."""
        facing = online[::-1] if self.options.cross_view else online
        triples = zip(facing, references, candidates, strict=True)
        terms = [
            self._divergence(_exact(rows), _exact(self._target(reference)), blocks)
            for rows, reference, blocks in triples
        ]
        return torch.stack(terms).sum() / (len(terms) if self.options.reduction == "mean" else 1)

    def _target(self, reference: Tensor) -> Tensor:
        return reference.detach() if self.options.stop_gradient else reference

    def _divergence(self, online: Tensor, reference: Tensor, blocks: list[Tensor]) -> Tensor:
        """Mean over sentences of one direction's divergence."""
        if self.options.comparison == "vectors":
            return (online - reference).square().sum(dim=1).mean()
        queries = online / self.options.temperature
        if self.options.comparison == "contrastive":
            log_sums, _ = queue_softmax(queries, *blocks)
            return (log_sums - (queries * reference).sum(dim=1)).mean()
        if reference.requires_grad:
            return self._divergence_of_both(online, reference, torch.cat(blocks))
        targets = reference / self.options.reference_temperature
        log_sums, means = queue_softmax(torch.cat([targets, queries]), *blocks)
        target_log_sums, online_log_sums = log_sums.chunk(2)
        target_means = means[: len(targets)]
        cross_entropy = online_log_sums - (queries * target_means).sum(dim=1)
        if self.options.divergence == "ce":
            return cross_entropy.mean()
        negative_entropy = (targets * target_means).sum(dim=1) - target_log_sums
        return (cross_entropy + negative_entropy).mean()

    def _divergence_of_both(self, online: Tensor, reference: Tensor, rows: Tensor) -> Tensor:
        """The same where the reference learns too: its gradient needs the probabilities themselves."""
        target = similarity_distribution(reference, rows, temperature=self.options.reference_temperature)
        log_shares = similarity_distribution(online, rows, temperature=self.options.temperature)
        if self.options.divergence == "ce":
            return -(target.exp() * log_shares).sum(dim=1).mean()
        return functional.kl_div(log_shares, target, reduction="batchmean", log_target=True)

    @property
    def _held(self) -> list[InstanceQueue]:
        return cast("list[InstanceQueue]", list(self.queues))

    def _rows_by_queue(self, references: Views) -> list[Tensor]:
        """The references that belong to each queue: one view's, or both views' where there is one queue for both."""
        views = [rows.detach() for rows in references]
        by_queue = views
        if self.options.queues == "one":
            by_queue = [views[0] if references[0] is references[1] else torch.cat(views)]
        num_rows = len(by_queue[0]) * (dist.get_world_size() if trains_across_ranks() else 1)
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


class StackedHead(nn.Module):
    """Three blocks ``Linear(d, 10 d) -> ReLU -> Linear(10 d, d)`` one after another, nothing in between.

    Source: SCT (Limkonchotiwat et al., TACL 2023), Section 3 and released code: on the online vectors of both views,
    discarded at test.

    Args:
        width: d of the sentence embedding.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        blocks = [[nn.Linear(width, 10 * width), nn.ReLU(), nn.Linear(10 * width, width)] for _ in range(3)]
        self.blocks = nn.Sequential(*(nn.Sequential(*block) for block in blocks))

    def forward(self, embeddings: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
        """Return the projected embeddings."""
        return self.blocks(embeddings)


def encode(
    model: nn.Module,
    views: Sequence[Features],
    *,
    head: nn.Module,
    reference: Reference,
    average: AveragedEncoder | None = None,
    stop_gradient: bool = True,
) -> tuple[Views, Views]:
    """Embed both views as online vectors, with gradient and head, and as references, with neither.

    Args:
        model: The model in training.
        views: Features of both views.
        head: Projects the online vectors.
        reference: What gives the references; see `CrossViewLoss`.
        average: Encodes them where they are the moving average's; moved on where gradients are on.
        stop_gradient: Whether the references are constants.

    Returns:
        Online vectors and references, unit vectors of both views.
    """
    references = None
    if reference != "online":
        references = reference_vectors(model, average, views, stop_gradient=stop_gradient)
    embeddings = embed_columns(model, views)
    online = _unit(list(head(torch.cat(embeddings)).chunk(2)))
    return online, references or _unit([rows.detach() if stop_gradient else rows for rows in embeddings])


def reference_vectors(
    model: nn.Module, average: AveragedEncoder | None, views: Sequence[Features], *, stop_gradient: bool = True
) -> Views:
    """Embed both views without head, by the same weights or by their average, which is moved on.

    Args:
        model: The model in training.
        average: Encodes in its place, where there is one.
        views: Features of both views.
        stop_gradient: Whether no gradient is recorded.
    """
    if average is not None and torch.is_grad_enabled():
        average.update()
    with torch.set_grad_enabled(not stop_gradient and torch.is_grad_enabled()):
        return _unit(embed_columns(average or model, views))


def make_average(reference: Reference, model: nn.Module, decay: float) -> AveragedEncoder | None:
    """What encodes the references, where it is not the model itself."""
    return AveragedEncoder(model, decay=decay) if reference == "ema" else None


def make_head(head: Head, width: int) -> nn.Module:
    """The paper's head of three blocks, or none."""
    return StackedHead(width) if head == "mlp" else nn.Identity()


def _unit(views: list[Tensor]) -> Views:
    first, second = (functional.normalize(rows, dim=1) for rows in views)
    return first, second


def _exact(rows: Tensor) -> Tensor:
    """Return the rows in float32 or finer: the divergence is a small difference of large logarithms of sums."""
    return rows.float() if rows.dtype in (torch.bfloat16, torch.float16) else rows


SCT_CITATION = """
@article{limkonchotiwat-etal-2023-sct,
    title = "An Efficient Self-Supervised Cross-View Training For Sentence Embedding",
    author = "Limkonchotiwat, Peerat and Ponwitayarat, Wuttikorn and Lowphansirikul, Lalita and
      Udomcharoenchaikit, Can and Chuangsuwanich, Ekapol and Nutanong, Sarana",
    journal = "Transactions of the Association for Computational Linguistics",
    volume = "11",
    year = "2023",
    url = "https://arxiv.org/abs/2311.03228",
}
"""

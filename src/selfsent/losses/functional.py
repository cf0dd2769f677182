"""The mathematics of the objectives, as pure functions of tensors: plain formulas, differentiable throughout."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional


def info_nce(
    anchors: Float[Tensor, "B D"],
    positives: Float[Tensor, "B D"] | Float[Tensor, "B P D"],
    negatives: Float[Tensor, "M D"] | None = None,
    *,
    temperature: float,
    symmetric: bool = False,
) -> Float[Tensor, ""]:
    """Cross-entropy of finding each anchor's positive among all positives and negatives, by cosine.

    An anchor of several positives looks for each of them alone: its other positives are left out, as nothing tells
    one from another, and the mean over the positives is taken.

    Source: SimCSE (Gao et al., EMNLP 2021), Equations 1 and 5; several positives as in supervised contrastive learning
    (Khosla et al., NeurIPS 2020), Equation 2. Differs: there the other positives stay in the sum of the denominator,
    so that the loss cannot reach 0.

    Args:
        anchors: One row a sentence; lengths do not matter.
        positives: Row ``i`` belongs to anchor ``i``, or all ``P`` rows of block ``i`` do; the others are its in-batch
            negatives.
        negatives: Further candidates of every anchor.
        temperature: Divides the cosines; positive (SimCSE: 0.05).
        symmetric: Whether to average with the loss of finding each positive's anchor among all anchors.

    Returns:
        Mean over anchors, in nats.
    """
    if positives.ndim > 2:  # noqa: PLR2004 sentences, positives and values
        return _info_nce_of_several(anchors, positives, negatives, temperature=temperature, symmetric=symmetric)
    candidates = positives if negatives is None else torch.cat([positives, negatives])
    target = torch.arange(len(anchors), device=anchors.device)
    loss = candidate_cross_entropy(anchors, candidates, target, temperature=temperature)
    if not symmetric:
        return loss
    return (loss + candidate_cross_entropy(positives, anchors, target, temperature=temperature)) / 2


def _info_nce_of_several(
    anchors: Float[Tensor, "B D"],
    positives: Float[Tensor, "B P D"],
    negatives: Float[Tensor, "M D"] | None,
    *,
    temperature: float,
    symmetric: bool,
) -> Float[Tensor, ""]:
    """InfoNCE where each anchor has P positives."""
    num_positives = positives.shape[1]
    rows = positives.flatten(0, 1)
    owner = torch.arange(len(anchors), device=anchors.device).repeat_interleave(num_positives)
    target = torch.arange(len(rows), device=anchors.device)
    is_own = owner[:, None] == owner
    is_own[target, target] = False
    log_weight = anchors.new_zeros(is_own.shape).masked_fill(is_own, -torch.inf)
    candidates = rows
    if negatives is not None:
        candidates = torch.cat([rows, negatives])
        log_weight = functional.pad(log_weight, (0, len(negatives)))
    loss = candidate_cross_entropy(anchors[owner], candidates, target, temperature=temperature, log_weight=log_weight)
    if not symmetric:
        return loss
    return (loss + candidate_cross_entropy(rows, anchors, owner, temperature=temperature)) / 2


def candidate_cross_entropy(
    anchors: Float[Tensor, "B D"],
    candidates: Float[Tensor, "M D"],
    target: Int[Tensor, " B"],
    *,
    temperature: float,
    log_weight: Float[Tensor, "B M"] | None = None,
) -> Float[Tensor, ""]:
    """Cross-entropy of finding one candidate for each anchor by cosine: what every form of InfoNCE comes down to.

    Args:
        anchors: One row a sentence; lengths do not matter.
        candidates: What is compared with every anchor.
        target: Row of the right candidate of each anchor.
        temperature: Divides the cosines; positive.
        log_weight: Added to the scaled cosines: log alpha weighs a hard negative (SimCSE, Section 4), minus infinity
            leaves a candidate out.

    Returns:
        Mean over anchors, in nats.
    """
    logits = cosines(anchors, candidates) / temperature
    return functional.cross_entropy(logits if log_weight is None else logits + log_weight, target)


def cosines(rows: Float[Tensor, "B D"], columns: Float[Tensor, "M D"]) -> Float[Tensor, "B M"]:
    """Cosine of each row with each column; that of a zero vector is 0."""
    return functional.normalize(rows, dim=1) @ functional.normalize(columns, dim=1).T


def node_contrastive(up: Float[Tensor, "N D"], down: Float[Tensor, "N D"], *, temperature: float) -> Float[Tensor, ""]:
    """Contrast each node's upward embedding with all downward embeddings of the batch, and the reverse.

    Every other node is a negative: those of the same sentence and repeated words included.

    Source: Opper et al., EMNLP 2023 (StrAE), contrastive objective over nodes.

    Args:
        up: Upward embeddings of all nodes.
        down: Downward embeddings of the same nodes in the same order.
        temperature: Divides the cosines; positive. The released code multiplies by e^0.2, so its temperature is 0.8187.

    Returns:
        Mean of the row-wise and the column-wise cross-entropy, in nats.
    """
    return info_nce(up, down, temperature=temperature, symmetric=True)


def leaf_cross_entropy(
    leaves: Float[Tensor, "L D"],
    token_ids: Int[Tensor, " L"],
    table: Float[Tensor, "V D"],
    bias: Float[Tensor, " V"] | None = None,
    weights: Float[Tensor, " L"] | None = None,
) -> Float[Tensor, ""]:
    """Cross-entropy of recovering each token from its leaf's downward embedding by an inner product with the table.

    Source: Opper et al., EMNLP 2023 (StrAE), index function and reconstruction objective.

    Args:
        leaves: Downward embeddings of the leaves.
        token_ids: The tokens they stand for.
        table: One row a vocabulary item; the embedding table itself in the paper.
        bias: Added to the logits; none in the paper.
        weights: What each leaf counts; all 1 in the paper.

    Returns:
        Mean over leaves, in nats; of weighted ones the sum by their number too, not by that of the weights.
    """
    logits = functional.linear(leaves, table, bias)
    if weights is None:
        return functional.cross_entropy(logits, token_ids)
    return (weights * functional.cross_entropy(logits, token_ids, reduction="none")).mean()


def similarity_distribution(
    rows: Float[Tensor, "B D"], queue: Float[Tensor, "Q D"], *, temperature: float
) -> Float[Tensor, "B Q"]:
    """Describe each row by how like it is to every row of a queue: the logarithm of a softmax over similarities.

    Source: SCT (Limkonchotiwat et al., TACL 2023), Section 3, SR(z, D, tau).

    Args:
        rows: Unit vectors.
        queue: Unit vectors, in any order.
        temperature: Divides the inner products; positive.

    Returns:
        Logarithms of the probabilities; each row's sum to 1.
    """
    return functional.log_softmax(rows @ queue.T / temperature, dim=1)


def cross_view(
    online: tuple[Float[Tensor, "B D"], Float[Tensor, "B D"]],
    references: tuple[Float[Tensor, "B D"], Float[Tensor, "B D"]],
    queues: tuple[Float[Tensor, "Q D"], Float[Tensor, "Q D"]],
    *,
    temperature: float,
    reference_temperature: float,
) -> Float[Tensor, ""]:
    """Kullback-Leibler divergence of each view's online distribution from the other view's reference distribution.

    View 1 must be placed in the queue of view 2 as the reference of view 2 is placed there, and the reverse.

    Source: SCT (Limkonchotiwat et al., TACL 2023), Section 3, L_SCT; with a teacher's vectors as references L_CD.

    Args:
        online: Unit vectors of both views, with gradient.
        references: Unit vectors of both views; no gradient passes them.
        queues: Unit vectors, one queue a view.
        temperature: tau_theta, divides the online similarities.
        reference_temperature: tau_ref, divides the similarities of the references.

    Returns:
        Mean over sentences and both directions, in nats.
    """
    terms: list[Tensor] = []
    for row, reference, queue in zip(online[::-1], references, queues, strict=True):
        target = similarity_distribution(reference.detach(), queue, temperature=reference_temperature)
        log_shares = similarity_distribution(row, queue, temperature=temperature)
        terms.append(functional.kl_div(log_shares, target, reduction="batchmean", log_target=True))
    return (terms[0] + terms[1]) / 2

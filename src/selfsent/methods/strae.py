"""StrAE and Self-StrAE: sentence embeddings from a tree autoencoder, trained from scratch on raw text.

Opper, Prokhorov & Siddharth, "StrAE: Autoencoding for Pre-Trained Embeddings using Explicit Structure", EMNLP 2023
(arXiv 2305.05588); Opper & Siddharth, SemEval-2024 (arXiv 2404.01860) for the mixed objective.

=====================================  ========================================  =====================================
of the paper                           object                                    file
=====================================  ========================================  =====================================
embedding Omega, K channels x U        ``TreeEncoder.embedding``                 ``modules/tree_encoder.py``
composition C, 2U^2 + U weights        ``AffineComposition``                     ``modules/composition.py``
decomposition D, 2U^2 + 2U weights     ``AffineDecomposition``                   ``modules/composition.py``
index function Lambda                  ``LeafReconstruction``                    ``losses/reconstruction.py``
induced structure (Self-StrAE)         ``induce``                                ``kernels/induction.py``
upward and downward traversal          ``upward``, ``downward``                  ``kernels/passes.py``
contrastive objective over nodes       ``NodeContrastiveLoss``                   ``losses/node_contrastive.py``
cross-entropy objective                ``ReconstructionLoss``                    ``losses/reconstruction.py``
mixed objective (SemEval-2024)         ``ContrastiveReconstructionLoss``         ``losses/reconstruction.py``
=====================================  ========================================  =====================================

Where we differ:

* The temperature divides, and defaults to e^-0.2 = 0.8187: the released code multiplies cosines by e^0.2.
* Decomposition gives its first half to the left child always; the release gives it to the smaller node number.
* The vocabulary is trained on the corpus itself (byte-pair encoding, 25,000 pieces at most, lower case), where the
  release takes BPEmb's 25,000 pieces of Wikipedia.
* The output weights of reconstruction are the embedding table (paper); the release has a layer of its own (``tied``).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from sentence_transformers import SentenceTransformer
from torch import nn

from selfsent.data.arrow_file import materialise
from selfsent.data.tokenizer import load_tokenizer, train_tokenizer, vocabulary_report
from selfsent.errors import UserError
from selfsent.losses import ContrastiveReconstructionLoss, NodeContrastiveLoss, ReconstructionLoss
from selfsent.losses.node_contrastive import RELEASED_TEMPERATURE
from selfsent.methods.recipe import Assembly, Ingredients, Method, split_for
from selfsent.modules import TreeEncoder
from selfsent.modules.composition import CellInit
from selfsent.modules.tree_encoder import Structure

Objective = Literal["contrastive", "cross-entropy", "contrastive-cross-entropy"]

_TEXTS_A_BATCH = 1000
_TEXTS_IN_VOCABULARY_REPORT = 5000


@dataclass(frozen=True, kw_only=True)
class StraeConfig:
    """Options of ``self-strae`` and ``strae``; the defaults are the papers' and the released code's.

    Args:
        structure: ``induced`` (Self-StrAE), or a fixed structure.
        objective: ``contrastive`` over all nodes, ``cross-entropy`` of the leaf tokens, or half of each over internal
            nodes and leaves.
        channels: K (EMNLP 2023: 10).
        channel_size: U (EMNLP 2023: 10); composition and decomposition have ``4U^2 + 3U`` weights together.
        temperature: Divides cosines in the contrastive objective (released code: e^-0.2).
        tied: Whether reconstruction's output weights are the embedding table.
        leaf_dropout: Share of values dropped from leaf embeddings (released code: 0.2).
        composition_dropout: The same for composed embeddings (released code: 0.1).
        decomposition_dropout: The same for decomposed embeddings (released code: 0.1).
        init_range: The table starts uniform in [-r, r] (released code: 0.1).
        composition_init: How composition and decomposition start: ``uniform`` (released code), or near the ``sum`` of
            the children and copies of the parent, which is not in the papers and much better on STS-B dev.
        tokenizer: Path of a ready tokenizer; ``none`` trains one on the corpus.
        vocab_size: Pieces of a trained tokenizer, at most (released code: 25,000).
        lowercase: Whether a trained tokenizer lower-cases.
        min_tokens: Shorter texts are not trained on (released code: 4).
        max_tokens: Longer texts are not trained on (released code: 200).
    """

    structure: Structure = "induced"
    objective: Objective = "contrastive"
    channels: int = 10
    channel_size: int = 10
    temperature: float = RELEASED_TEMPERATURE
    tied: bool = True
    leaf_dropout: float = 0.2
    composition_dropout: float = 0.1
    decomposition_dropout: float = 0.1
    init_range: float = 0.1
    composition_init: CellInit = "uniform"
    tokenizer: str | None = None
    vocab_size: int = 25_000
    lowercase: bool = True
    min_tokens: int = 4
    max_tokens: int = 200


def training(config: StraeConfig) -> dict[str, Any]:
    """The released code's training arguments: Adam at a constant rate, 15 epochs of batches of 512, clipped at 1."""
    return {
        "learning_rate": 1e-4 if config.objective == "contrastive" else 1e-3,
        "per_device_train_batch_size": 512,
        "num_train_epochs": 15,
        "lr_scheduler_type": "constant",
        "optim": "adamw_torch_fused",
        "weight_decay": 0.0,
        "max_grad_norm": 1.0,
        "dataloader_drop_last": True,
    }


def build(config: StraeConfig, assembly: Assembly) -> Ingredients:
    """Train or open the tokenizer, write the usable texts to disk, and put model and loss together.

    Raises:
        UserError: An option is out of range, a base model was named, or no text is of a usable length.
    """
    if assembly.base is not None:
        raise UserError(f"a tree model is trained from scratch and takes no --base (received {assembly.base})")
    tokenizer = (
        load_tokenizer(config.tokenizer)
        if config.tokenizer
        else train_tokenizer(assembly.source.texts(), vocab_size=config.vocab_size, lowercase=config.lowercase)
    )
    encoder = TreeEncoder(
        tokenizer=tokenizer,
        channels=config.channels,
        channel_size=config.channel_size,
        structure=config.structure,
        leaf_dropout=config.leaf_dropout,
        composition_dropout=config.composition_dropout,
        init_range=config.init_range,
        composition_init=config.composition_init,
    )
    model = SentenceTransformer(modules=[encoder], device=assembly.device)
    loss = _loss(config, model)
    texts = UsableTexts(assembly, tokenizer, config)
    dataset = materialise(texts, assembly.folder / "corpus.arrow", columns=["text"])
    dataset, heldout = split_for(assembly, dataset)
    report = vocabulary_report(tokenizer, islice(assembly.source.texts(), _TEXTS_IN_VOCABULARY_REPORT))
    notes = [
        texts.note(),
        (
            f"vocabulary of {report['vocab_size']:,} pieces, {report['pieces_per_word']:.2f} pieces a word,"
            f" {100 * report['unknown_share']:.3f}% of tokens unknown"
        ),
    ]
    return Ingredients(model=model, loss=loss, dataset=dataset, heldout=heldout, notes=notes)


def _loss(config: StraeConfig, model: SentenceTransformer) -> nn.Module:
    dropout = config.decomposition_dropout
    if config.objective == "contrastive":
        return NodeContrastiveLoss(model, temperature=config.temperature, decomposition_dropout=dropout)
    if config.objective == "cross-entropy":
        return ReconstructionLoss(model, tied=config.tied, decomposition_dropout=dropout)
    return ContrastiveReconstructionLoss(
        model, temperature=config.temperature, tied=config.tied, decomposition_dropout=dropout
    )


class UsableTexts:
    """The texts of a source whose length in tokens the model trains on, as rows; the others are counted.

    Args:
        assembly: Holds the source; of rows with several texts every text counts.
        tokenizer: The model's.
        config: Holds the bounds.

    Raises:
        UserError: After a pass that found no usable text.
    """

    def __init__(self, assembly: Assembly, tokenizer: Any, config: StraeConfig) -> None:
        self.source, self.tokenizer, self.config = assembly.source, tokenizer, config
        self.num_kept = self.num_short = self.num_long = self.num_tokens = 0

    def __iter__(self) -> Iterator[dict[str, str]]:
        texts = self.source.texts()
        while batch := list(islice(texts, _TEXTS_A_BATCH)):
            ids = self.tokenizer(batch, add_special_tokens=False, return_attention_mask=False, verbose=False)
            for text, tokens in zip(batch, ids["input_ids"], strict=True):
                self.num_short += len(tokens) < self.config.min_tokens
                self.num_long += len(tokens) > self.config.max_tokens
                if self.config.min_tokens <= len(tokens) <= self.config.max_tokens:
                    self.num_kept += 1
                    self.num_tokens += len(tokens)
                    yield {"text": text}
        if not self.num_kept:
            raise UserError(
                f"no text has {self.config.min_tokens} to {self.config.max_tokens} tokens: {self.num_short:,} are"
                f" shorter, {self.num_long:,} longer; give other texts, or set min_tokens and max_tokens"
            )

    def note(self) -> str:
        """Say what was kept and what was left out."""
        return (
            f"{self.num_kept:,} texts of {self.num_tokens:,} tokens; left out: {self.num_short:,} with fewer than"
            f" {self.config.min_tokens} tokens, {self.num_long:,} with more than {self.config.max_tokens}"
        )


SELF_STRAE = Method(
    name="self-strae",
    summary="a tree autoencoder that finds its own structure, from scratch on raw text (EMNLP 2023)",
    config=StraeConfig,
    build=build,
    training=training,
)
"""Self-StrAE: structure induced while it learns."""


@dataclass(frozen=True, kw_only=True)
class FixedStructureConfig(StraeConfig):
    """Options of ``strae``: those of ``self-strae``, with a balanced structure unless another is named."""

    structure: Structure = "balanced"


STRAE = Method(
    name="strae",
    summary="the same autoencoder on a given structure: --set structure=balanced|right|left|random (EMNLP 2023)",
    config=FixedStructureConfig,
    build=build,
    training=training,
)
"""StrAE over a fixed structure."""

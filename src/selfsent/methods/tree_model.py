"""What methods that train a tree model from scratch share: its options, its texts and tokenizer, its assembly."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from sentence_transformers import SentenceTransformer
from torch import nn
from transformers import PreTrainedTokenizerBase

from selfsent.data.arrow_file import materialise
from selfsent.data.tokenizer import load_tokenizer, train_tokenizer, vocabulary_report
from selfsent.errors import UserError
from selfsent.methods.method import Assembly, Ingredients, split_for
from selfsent.methods.table_start import TableInit, start_table
from selfsent.modules import TreeEncoder
from selfsent.modules.composition import Cell, CellInit
from selfsent.modules.neighbour_context import Context
from selfsent.modules.tree_finder import Inducer, Structure
from selfsent.parsing.given_trees import GivenTrees
from selfsent.parsing.parse_file import is_parse_file
from selfsent.parsing.tree_texts import TreeTexts
from selfsent.trees.split_depths import Binarisation

Unparsed = Literal["stop", "skip", "balanced", "right", "left", "random"]

_TEXTS_A_BATCH = 1000
_TEXTS_IN_VOCABULARY_REPORT = 5000
# What the card of a model of given structure shows: texts with their trees, as a person may write them.
_WRITTEN_TREES = ("(S (NP (D the) (N cat)) (V sleeps))", "(S (NP (D a) (N dog)) (V rests))", "(S (N rain) (V fell))")


@dataclass(frozen=True, kw_only=True)
class TreeModelConfig:
    """Options of every method that trains a tree model; the defaults are those of StrAE's papers and released code.

    Args:
        structure: ``induced`` (Self-StrAE), ``given`` with the sentences, or one that does not read them.
        inducer: How an induced structure is searched: ``greedy`` (paper), ``beam`` or ``chart``.
        beam_size: States the beam keeps, or trees the chart keeps of a span.
        parses: Where the structure is given: a file that ``selfsent parse`` wrote, or a folder of them (then texts of
            evaluation find their trees too). Default: the source itself, where it is such a file.
        unparsed: A text without a tree: ``stop``, ``skip`` it in training, or give it a structure that reads no words.
        binarisation: Whether given constituents of several children are merged from the ``right`` or the ``left``.
        context: ``none`` (paper), or ``neighbours``: their mean is added to each leaf before composition.
        channels: K (EMNLP 2023: 10).
        channel_size: U (EMNLP 2023: 10).
        cell: ``affine`` (StrAE; ``4U^2 + 3U`` weights with decomposition) or ``diagonal`` (Banyan; ``7U``).
        tied: Whether reconstruction's output weights are the embedding table.
        leaf_dropout: Share of values dropped from leaf embeddings (released code: 0.2).
        composition_dropout: The same for composed embeddings (released code: 0.1).
        decomposition_dropout: The same for decomposed embeddings (released code: 0.1).
        init_range: The table starts uniform in [-r, r] (released code: 0.1).
        table_init: Where the table starts: ``uniform`` (papers), or with vectors added that say which tokens stand near
            each other (``cooccurrence``) or in the same passages (``lsa``); not in the papers, better on STS-B dev.
        window: How near, in tokens, is near to ``cooccurrence``; default: in the same text.
        texts_a_passage: How many texts in a row are one passage to ``lsa``; 1 unless neighbours belong together.
        spelling: Whether tokens spelt alike start alike, by vectors of their character n-grams added to the table; not
            in the papers, better on STS-B dev.
        frequency_weight: a; where above 0 the leaf of a token of share p of the corpus is weighed by ``a / (a + p)``;
            not in the papers, much better on STS-B dev; 0.001 is usual.
        composition_init: How cells start: ``uniform`` (released code), or at the ``sum`` of the children and copies of
            the parent, which is not in the papers and much better on STS-B dev.
        tokenizer: Path of a ready tokenizer; ``none`` trains one on the corpus.
        vocab_size: Pieces of a trained tokenizer, at most (released code: 25,000).
        lowercase: Whether a trained tokenizer lower-cases.
        min_tokens: Shorter texts are not trained on (released code: 4).
        max_tokens: Longer texts are not trained on (released code: 200).
    """

    structure: Structure = "induced"
    inducer: Inducer = "greedy"
    beam_size: int = 4
    parses: str | None = None
    unparsed: Unparsed = "stop"
    binarisation: Binarisation = "right"
    context: Context = "none"
    channels: int = 10
    channel_size: int = 10
    cell: Cell = "affine"
    tied: bool = True
    leaf_dropout: float = 0.2
    composition_dropout: float = 0.1
    decomposition_dropout: float = 0.1
    init_range: float = 0.1
    table_init: TableInit = "uniform"
    window: int | None = None
    texts_a_passage: int = 1
    spelling: bool = False
    frequency_weight: float = 0.0
    composition_init: CellInit = "uniform"
    tokenizer: str | None = None
    vocab_size: int = 25_000
    lowercase: bool = True
    min_tokens: int = 4
    max_tokens: int = 200


def released_training(*, is_contrastive: bool) -> dict[str, Any]:
    """The training arguments of StrAE's released code: Adam at a constant rate, 15 epochs of batches of 512, clipped.

    Args:
        is_contrastive: Whether nodes are contrasted and nothing else, which has a tenth of the rate.
    """
    return {
        "learning_rate": 1e-4 if is_contrastive else 1e-3,
        "per_device_train_batch_size": 512,
        "num_train_epochs": 15,
        "lr_scheduler_type": "constant",
        "optim": "adamw_torch_fused",
        "weight_decay": 0.0,
        "max_grad_norm": 1.0,
        "dataloader_drop_last": True,
    }


MakeEncoder = Callable[[TreeModelConfig, PreTrainedTokenizerBase, GivenTrees | None], TreeEncoder]
"""Makes the new encoder of a configuration, with its tokenizer and where given trees come from."""


def new_tree_encoder(
    config: TreeModelConfig, tokenizer: PreTrainedTokenizerBase, given: GivenTrees | None
) -> TreeEncoder:
    """Make the encoder of a configuration."""
    return TreeEncoder(
        tokenizer=tokenizer,
        channels=config.channels,
        channel_size=config.channel_size,
        cell=config.cell,
        structure=config.structure,
        inducer=config.inducer,
        beam_size=config.beam_size,
        parses=given.parses if given else None,
        unparsed="stop" if config.unparsed == "skip" else config.unparsed,
        binarisation=config.binarisation,
        context=config.context,
        frequency_weight=config.frequency_weight,
        leaf_dropout=config.leaf_dropout,
        composition_dropout=config.composition_dropout,
        init_range=config.init_range,
        composition_init=config.composition_init,
    )


def assemble_tree_model(
    config: TreeModelConfig,
    assembly: Assembly,
    make_loss: Callable[[SentenceTransformer], nn.Module],
    make_encoder: MakeEncoder = new_tree_encoder,
) -> Ingredients:
    """Train or open the tokenizer, write the usable texts to disk, and put model and loss together.

    Args:
        config: The options.
        assembly: Source and place of the run.
        make_loss: Makes the objective over the new model.
        make_encoder: Makes the encoder, where its cells are of another kind.

    Raises:
        UserError: An option is out of range, a base model was named, or no text is of a usable length.
    """
    if assembly.base is not None:
        raise UserError(f"a tree model is trained from scratch and takes no --base (received {assembly.base})")
    given = _given_trees(config, assembly)
    texts = TreeTexts(assembly.source, given, skip_unparsed=config.unparsed == "skip")
    tokenizer = (
        load_tokenizer(config.tokenizer)
        if config.tokenizer
        else train_tokenizer(texts.plain(), vocab_size=config.vocab_size, lowercase=config.lowercase)
    )
    encoder = make_encoder(config, tokenizer, given)
    start_table(
        encoder,
        texts.plain(),
        table_init=config.table_init,
        window=config.window,
        texts_a_passage=config.texts_a_passage,
        spelling=config.spelling,
    )
    model = SentenceTransformer(modules=[encoder], device=assembly.device)
    if given:
        model.model_card_data.usage_examples = list(_WRITTEN_TREES)
    loss = make_loss(model)
    usable = UsableTexts(texts, tokenizer, config)
    dataset = materialise(usable, assembly.folder / "corpus.arrow", columns=["text"])
    dataset, heldout = split_for(assembly, dataset)
    report = vocabulary_report(tokenizer, islice(texts.plain(), _TEXTS_IN_VOCABULARY_REPORT))
    notes = [
        usable.note(),
        (
            f"vocabulary of {report['vocab_size']:,} pieces, {report['pieces_per_word']:.2f} pieces a word,"
            f" {100 * report['unknown_share']:.3f}% of tokens unknown"
        ),
    ]
    if config.parses and not given:
        notes.append(f"parses={config.parses} is not used: the structure is {config.structure}, and not given")
    return Ingredients(model=model, loss=loss, dataset=dataset, heldout=heldout, notes=notes)


def _given_trees(config: TreeModelConfig, assembly: Assembly) -> GivenTrees | None:
    """Where the trees come from, if the structure is given: the file named, or the source if it is one of parses."""
    if config.structure != "given":
        return None
    own = assembly.source.spec if is_parse_file(assembly.source.spec) else None
    parses = config.parses or own
    place = None if parses is None else str(Path(parses).expanduser().resolve())
    return GivenTrees(place, unparsed="stop" if config.unparsed == "skip" else config.unparsed)


class UsableTexts:
    """The texts of a source whose length in tokens the model trains on, as rows; the others are counted.

    Args:
        texts: The texts of the source; of rows with several texts every text counts.
        tokenizer: The model's.
        config: Holds the bounds.

    Raises:
        UserError: After a pass that found no usable text.
    """

    def __init__(self, texts: TreeTexts, tokenizer: Any, config: TreeModelConfig) -> None:
        self.texts, self.tokenizer, self.config = texts, tokenizer, config
        self.num_kept = self.num_short = self.num_long = self.num_tokens = 0

    def __iter__(self) -> Iterator[dict[str, str]]:
        texts = iter(self.texts)
        while batch := list(islice(texts, _TEXTS_A_BATCH)):
            plain = [words for _, words in batch]
            ids = self.tokenizer(plain, add_special_tokens=False, return_attention_mask=False, verbose=False)
            for (text, _), tokens in zip(batch, ids["input_ids"], strict=True):
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
        note = (
            f"{self.num_kept:,} texts of {self.num_tokens:,} tokens; left out: {self.num_short:,} with fewer than"
            f" {self.config.min_tokens} tokens, {self.num_long:,} with more than {self.config.max_tokens}"
        )
        if not self.texts.num_unparsed:
            return note
        what = "left out" if self.texts.skip_unparsed else f"given a {self.config.unparsed} tree"
        return f"{note}; {self.texts.num_unparsed:,} texts without a tree {what}"

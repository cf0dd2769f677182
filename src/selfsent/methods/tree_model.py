"""What methods that train a tree model from scratch share: options, texts and tokenizer, how it is put together."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from sentence_transformers import SentenceTransformer
from torch import nn
from transformers import PreTrainedTokenizerBase

from selfsent.counts.tokenized_texts import TokenizedTexts, TokenWriter
from selfsent.data.arrow_file import materialise
from selfsent.data.tokenizer import TokenizerOptions, open_or_train, vocabulary_report
from selfsent.encoding import chunked, uncut_ids
from selfsent.errors import UserError
from selfsent.losses.reconstruction import ReconstructionOptions
from selfsent.methods.method import split_for
from selfsent.methods.table_start import TableOptions, start_table
from selfsent.modules import TreeEncoder
from selfsent.modules.attention_trees import AttentionTrees
from selfsent.modules.tree_encoder import ComposingEncoder
from selfsent.modules.tree_options import ChannelTreeOptions, TreeOptions
from selfsent.options import option
from selfsent.parsing.given_trees import GivenTrees, TreeTexts
from selfsent.parsing.parse_file import is_parse_file
from selfsent.training.random_state import preserved_random_state
from selfsent.training.run import Ingredients, Run, RunData

_TEXTS_A_BATCH = 1000
_TEXTS_IN_VOCABULARY_REPORT = 5000
# What the card of a model of given structure shows: texts with their trees, as a person may write them.
_WRITTEN_TREES = ("(S (NP (D the) (N cat)) (V sleeps))", "(S (NP (D a) (N dog)) (V rests))", "(S (N rain) (V fell))")


@dataclass(frozen=True, kw_only=True)
class TextOptions(TokenizerOptions):
    """Which texts a model from scratch is trained on, and its tokenizer; the defaults are those of the released code.

    Args:
        min_tokens: Shorter texts are not trained on (released code: 4).
        max_tokens: Longer texts are not trained on (released code: 200).
    """

    min_tokens: int = option(4, at_least=0)
    max_tokens: int = option(200, at_least=0)


@dataclass(frozen=True, kw_only=True)
class AnyTreeConfig(TextOptions, ReconstructionOptions, TreeOptions):
    """Options of every method that trains a model of trees from scratch."""


@dataclass(frozen=True, kw_only=True)
class TreeModelConfig(TableOptions, AnyTreeConfig, ChannelTreeOptions):
    """Options of every method that trains a `selfsent.modules.TreeEncoder`; the defaults are StrAE's."""


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


PlainTexts = Callable[[], Iterable[str]]
"""Reads the texts of a corpus, without their trees."""

MakeLoss = Callable[[SentenceTransformer, PlainTexts], nn.Module]
"""Makes the objective over a new model; the texts are there to be counted."""

MakeEncoder = Callable[[PreTrainedTokenizerBase, GivenTrees | None], ComposingEncoder]
"""Makes the new encoder of a configuration from its tokenizer and from where given trees come."""


def encoder_options(config: AnyTreeConfig, kind: type[TreeOptions], given: GivenTrees | None) -> dict[str, Any]:
    """Give the options of an encoder by name, with the place of its given trees.

    Args:
        config: The options of the method.
        kind: The options that encoder and method share.
        given: Where given trees come from.
    """
    unparsed = "stop" if config.unparsed == "skip" else config.unparsed
    return asdict(config.part(kind)) | {"parses": given.parses if given else None, "unparsed": unparsed}


def assemble_from_channels(run: Run[TreeModelConfig], data: RunData, make_loss: MakeLoss) -> Ingredients:
    """Put a `selfsent.modules.TreeEncoder` and its loss together; see `assemble_tree_model`."""
    config = run.config

    def make_encoder(tokenizer: PreTrainedTokenizerBase, given: GivenTrees | None) -> TreeEncoder:
        return TreeEncoder(tokenizer=tokenizer, **encoder_options(config, ChannelTreeOptions, given))

    def start(encoder: ComposingEncoder, texts: TokenizedTexts) -> None:
        start_table(encoder, texts, config.part(TableOptions))

    return assemble_tree_model(run, data, make_loss, make_encoder, start)


def assemble_tree_model(
    run: Run[AnyTreeConfig],
    data: RunData,
    make_loss: MakeLoss,
    make_encoder: MakeEncoder,
    start: Callable[[ComposingEncoder, TokenizedTexts], None] | None = None,
) -> Ingredients:
    """Train or open the tokenizer, write usable texts and all token ids to disk, and put model and loss together.

    Args:
        run: What was asked for.
        data: What is read.
        make_loss: Makes the objective over the new model.
        make_encoder: Makes the encoder.
        start: Starts the encoder's table at what a count of the texts knows.

    Raises:
        UserError: An option is out of range, a base model was named, or no text is of a usable length.
    """
    config = run.config
    attention = _attention(run)
    given = _given_trees(run, data)
    texts = TreeTexts(data.source, given, skip_unparsed=config.unparsed == "skip")
    tokenizer = open_or_train(config, texts.plain())
    encoder = make_encoder(tokenizer, given)
    encoder.trees_of.attention = attention
    usable = UsableTexts(
        texts, tokenizer, config, unparsed=config.unparsed, token_folder=run.corpus_folder if start else None
    )
    dataset = materialise(usable, run.corpus_folder / "corpus.arrow", columns=["text"])
    if start is not None:
        start(encoder, TokenizedTexts.open(run.corpus_folder, max(tokenizer.get_vocab().values()) + 1))
    model = SentenceTransformer(modules=[encoder], device=run.device)
    if given:
        model.model_card_data.usage_examples = list(_WRITTEN_TREES)
    loss = make_loss(model, texts.plain)
    dataset, heldout = split_for(data, dataset)
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


def _attention(run: Run[AnyTreeConfig]) -> AttentionTrees | None:
    """The transformer whose attention gives the trees, where the structure is to be taken from it."""
    if run.config.structure == "attention":
        if run.base is None:
            raise UserError(
                "structure=attention takes the trees from the attention of a transformer; name its folder or hub name"
                " with --base"
            )
        with preserved_random_state():
            return AttentionTrees(Path(run.base).expanduser() if run.base.startswith("~") else run.base)
    if run.base is not None:
        raise UserError(
            f"a tree model is trained from scratch and takes no --base (received {run.base}), but for"
            " structure=attention"
        )
    return None


def _given_trees(run: Run[AnyTreeConfig], data: RunData) -> GivenTrees | None:
    """Where the trees come from, if the structure is given: the file named, or the source if it is one of parses."""
    config = run.config
    if config.structure != "given":
        return None
    own = data.source.spec if is_parse_file(data.source.spec) else None
    parses = config.parses or own
    place = None if parses is None else str(Path(parses).expanduser().resolve())
    return GivenTrees(place, unparsed="stop" if config.unparsed == "skip" else config.unparsed)


class UsableTexts:
    """The texts of a source whose length in tokens the model trains on, as rows; the others are counted.

    Args:
        texts: The texts of the source; of rows with several texts every text counts.
        tokenizer: The model's.
        config: Holds the bounds.
        unparsed: What a text without a tree gets.
        token_folder: Where a pass writes the token ids of all texts, for `TokenizedTexts.open`; None for nowhere.

    Raises:
        UserError: After a pass that found no usable text.
    """

    def __init__(
        self,
        texts: TreeTexts,
        tokenizer: Any,
        config: TextOptions,
        *,
        unparsed: str = "stop",
        token_folder: Path | None = None,
    ) -> None:
        self.texts, self.tokenizer, self.config, self.unparsed = texts, tokenizer, config, unparsed
        self.token_folder = token_folder
        self.num_kept = self.num_short = self.num_long = self.num_tokens = 0

    def __iter__(self) -> Iterator[dict[str, str]]:
        with TokenWriter(self.token_folder) if self.token_folder else nullcontext() as written:
            for batch in chunked(self.texts, _TEXTS_A_BATCH):
                ids = uncut_ids(self.tokenizer, [words for _, words in batch])
                if written is not None:
                    written.add(ids)
                for (text, _), tokens in zip(batch, ids, strict=True):
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
        what = "left out" if self.texts.skip_unparsed else f"given a {self.unparsed} tree"
        return f"{note}; {self.texts.num_unparsed:,} texts without a tree {what}"

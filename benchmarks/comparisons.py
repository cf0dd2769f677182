"""The comparisons of ``make bench``: ours beside the plain reference or the host, each with its floor."""

import contextlib
import math
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from benchmarks.banyan_workload import BanyanStep, banyan_models, prepared_banyan_step
from benchmarks.curves import batch_curve, corpus_curve, encoding_floor, length_curve, step_floor, vocabulary_curve
from benchmarks.floors import Rates, adam_bytes, contrasting, finding, recovering
from benchmarks.interleaved import Timing, take_turns
from benchmarks.memory import available_gib, extra_memory_mib
from benchmarks.results import Results
from benchmarks.transformer_workload import host_training, opened, our_training, small_transformer
from benchmarks.tree_workload import (
    ContrastiveStep,
    CrossEntropyStep,
    TrainingStep,
    Width,
    encode_by_reference,
    find_trees,
    find_trees_by_reference,
    leaves_of,
)
from rich.console import Console
from torch.utils.flop_counter import FlopCounterMode

from selfsent.kernels.contrastive import tiled_symmetric_info_nce

MAX_REFERENCE_GIB = 16.0


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much work is timed.

    Args:
        batches: Sentences a batch and width of the embedding, small and large.
        recipe_batch: Sentences a batch of the shipped recipes.
        num_encoded: Sentences encoded by us and by the host's static embeddings.
        num_encoded_by_reference: Sentences encoded by the reference.
        vocab_size: Pieces of the vocabulary.
        num_built: Sentences of a small build, whose store is searched and served.
        num_steps: Training steps of a transformer, of 64 sentences each.
        budget_s: Seconds to spend on turns of one comparison; a point of a curve gets a fifth.
        curves: Sizes by curve: sentences a batch, words a sentence, rows of the table, sentences of a corpus.
    """

    batches: tuple[tuple[int, int], tuple[int, int]] = ((128, 100), (512, 256))
    recipe_batch: int = 16
    num_encoded: int = 20_000
    num_encoded_by_reference: int = 512
    vocab_size: int = 25_000
    num_built: int = 3_000
    num_steps: int = 40
    budget_s: float = 20.0
    curves: Mapping[str, tuple[int, ...]] = field(
        default_factory=lambda: {
            "batch": (64, 128, 256, 512, 1024),
            "sentence length": (8, 32, 128, 512, 2048),
            "vocabulary": (10_000, 25_000, 100_000, 250_000),
            "corpus": (1_000, 10_000, 100_000),
        }
    )


QUICK = Sizes(
    batches=((8, 20), (16, 20)),
    recipe_batch=4,
    num_encoded=200,
    num_encoded_by_reference=64,
    vocab_size=500,
    num_built=100,
    num_steps=2,
    budget_s=0.5,
    curves={"batch": (4, 8), "sentence length": (4, 16), "vocabulary": (500, 1000), "corpus": (50, 100)},
)


def time_trees(
    results: Results, name: str, width: Width, sentences: list[str], *, rates: Rates, budget_s: float
) -> None:
    """Compare tree finding with the reference."""
    leaves = leaves_of(width.encoder, sentences)
    timing = take_turns(
        {
            "ours": lambda: find_trees(width.encoder, leaves),
            "reference": lambda: find_trees_by_reference(width.encoder, leaves),
        },
        budget_s=budget_s,
    )
    dimension, num_tokens = leaves.values.shape[1], int(leaves.num_tokens.sum())
    num_merges = int((leaves.num_tokens - 1).clip(0).sum())
    floor = rates.floor(products=finding(num_merges, dimension, width.encoder.options.channel_size))
    note = f"B={len(sentences)}, E={dimension}, {num_tokens} tokens; no gradients"
    results.add(name, timing, note=note, floor=floor)
    results.measurements[name]["tokens_per_second"] = num_tokens / timing.median("ours")


def fitting_batch(width: Width, sentences: list[str]) -> list[str]:
    """Halve a batch until the reference's similarity matrices fit: about six of nodes x nodes float32."""
    budget = min(MAX_REFERENCE_GIB, 0.7 * available_gib()) * (1 << 30)
    while len(sentences) > 1:
        num_nodes = 2 * int(leaves_of(width.encoder, sentences).num_tokens.sum())
        if 6 * 4 * num_nodes**2 <= budget:
            break
        sentences = sentences[: len(sentences) // 2]
    return sentences


def time_step(
    results: Results, name: str, width: Width, sentences: list[str], *, rates: Rates, budget_s: float
) -> None:
    """Compare a whole contrastive step with the reference, on as much of the batch as the reference can hold."""
    fitting = fitting_batch(width, sentences)
    step = ContrastiveStep(width, fitting)
    timing = timing_of_equals(step, ContrastiveStep(width, fitting, reference_of=step), budget_s)
    num_tokens, floor = step_floor(step, rates)
    smaller = "" if len(fitting) == len(sentences) else f", both on {len(fitting)} as the reference needs the memory"
    dimension = width.encoder.get_embedding_dimension()
    note = f"B={len(sentences)}{smaller}, E={dimension}, {num_tokens} tokens"
    results.add(name, timing, note=note, floor=floor)
    results.measurements[name]["tokens_per_second"] = num_tokens / timing.median("ours")
    if smaller:
        ours = ContrastiveStep(width, sentences)
        with ours.as_trained():
            whole = take_turns({"ours": ours}, budget_s=budget_s)
        num_tokens = int(leaves_of(width.encoder, sentences).num_tokens.sum())
        results.measurements[name]["whole_batch_tokens_per_second"] = num_tokens / whole.median("ours")


def timing_of_equals(step: TrainingStep, reference: TrainingStep, budget_s: float) -> Timing:
    """Time a step beside its reference, once both are seen to give the same loss."""
    ours, theirs = step.without_dropout(), reference.without_dropout()
    if not math.isclose(ours, theirs, rel_tol=1e-4):
        raise AssertionError(f"the loss is {ours} by our path and {theirs} by the reference")
    with step.as_trained():
        return take_turns({"ours": step, "reference": reference}, budget_s=budget_s)


def time_cross_entropy(results: Results, width: Width, sentences: list[str], sizes: Sizes) -> None:
    """Compare a step that contrasts nodes with one that recovers tokens, of the same model and batch."""
    contrastive, recovering_step = ContrastiveStep(width, sentences), CrossEntropyStep(width, sentences)
    with contrastive.as_trained():
        timing = take_turns({"contrastive": contrastive, "ours": recovering_step}, budget_s=sizes.budget_s)
    note = f"B={len(sentences)}, {len(width.encoder.embedding.weight)} words; contrast over cross-entropy"
    results.add("contrast_over_cross_entropy", timing, note=note, other="contrastive")


def time_banyan(results: Results, sentences: list[str], batch_size: int, sizes: Sizes, rates: Rates) -> None:
    """Compare a whole step of Banyan with the reference."""
    dimension = sizes.batches[-1][1]
    batch, name = sentences[:batch_size], f"banyan_step_{batch_size}"
    width = banyan_models(sentences, dimension, sizes.vocab_size)
    step = BanyanStep(width, batch)
    timing = timing_of_equals(step, BanyanStep(width, batch, reference_of=step), sizes.budget_s)
    features = step.encoder.preprocess(batch)
    mask = features["attention_mask"].bool()
    num_tokens, num_words = int(mask.sum()), len(features["input_ids"][mask].unique())
    table = step.encoder.embedding.weight
    floor = rates.floor(
        products=recovering(num_words, *table.shape),
        num_bytes=adam_bytes(sum(p.numel() for p in step.parameters)),
        exponentials=num_words * len(table),
    )
    note = f"B={batch_size}, E={dimension}, {num_tokens} tokens, {num_words} words of {len(table)}"
    results.add(name, timing, note=note, floor=floor)
    results.measurements[name]["tokens_per_second"] = num_tokens / timing.median("ours")
    memory = extra_memory_mib(prepared_banyan_step, batch, dimension, sizes.vocab_size)
    results.extra_memory_mib[name] = round(memory, 1)


def draw_curves(results: Results, sentences: list[str], sizes: Sizes, rates: Rates, console: Console) -> None:
    """Measure what work costs by its size."""
    batch = sentences[: sizes.batches[0][0]]
    makers = {
        "batch": batch_curve,
        "sentence length": length_curve,
        "vocabulary": vocabulary_curve,
        "corpus": corpus_curve,
    }
    for name, curve in makers.items():
        console.print(f"cost by {name}")
        of_curve = batch if name == "vocabulary" else sentences
        results.curves[name] = curve(of_curve, sizes.curves[name], sizes.vocab_size, rates, sizes.budget_s / 5)


def time_encoding(results: Results, width: Width, sentences: list[str], sizes: Sizes, rates: Rates) -> None:
    """Compare encoding with the reference, and with the host's static embeddings over the same tokenizer."""
    few = sentences[: sizes.num_encoded_by_reference]
    timing = take_turns(
        {
            "ours": lambda: width.model.encode(few, batch_size=64),
            "reference": lambda: encode_by_reference(width.encoder, few, batch_size=64),
        },
        budget_s=sizes.budget_s,
    )
    floor = encoding_floor(width.encoder, few, rates)[1]
    results.add("encode_vs_reference", timing, note=f"{len(few)} sentences, batches of 64", floor=floor)
    many = sentences[: sizes.num_encoded]
    timing = take_turns(
        {
            "ours": lambda: width.model.encode(many, batch_size=1024),
            "static": lambda: width.static.encode(many, batch_size=1024),
        },
        budget_s=sizes.budget_s,
    )
    floor = encoding_floor(width.encoder, many, rates)[1]
    note = f"{len(many)} sentences, batches of 1,024, same tokenizer"
    results.add("encode_vs_static", timing, note=note, floor=floor, other="static")
    results.measurements["encode_vs_static"]["sentences_per_second"] = len(many) / timing.median("ours")


def time_transformer(results: Results, sentences: list[str], sizes: Sizes, rates: Rates) -> None:
    """Compare unsupervised contrastive training of a small transformer with the host's trainer and loss."""
    batch_size = 64
    sentences = sentences[: batch_size * sizes.num_steps]
    with TemporaryDirectory() as folder:
        base = small_transformer(sentences, Path(folder), vocab_size=sizes.vocab_size)
        candidates = {
            "ours": our_training(base, sentences, batch_size=batch_size),
            "host": host_training(base, sentences, batch_size=batch_size),
        }
        num_weights = sum(parameter.numel() for parameter in opened(base).parameters())
    num_steps = len(sentences) // batch_size - 1
    with on_one_thread(), FlopCounterMode(display=False) as counter:
        candidates["ours"]()
    products = counter.get_total_flops() * num_steps // (num_steps + 1)
    floor = rates.floor(products=products, num_bytes=num_steps * adam_bytes(num_weights))
    timing = take_turns(candidates, budget_s=3 * sizes.budget_s, returns_seconds=True)
    note = (
        f"{num_steps} steps of {batch_size} sentences without the first and without what a call of train() costs at any"
        f" length, 2 layers of 128, at most 32 tokens, a table of {sizes.vocab_size} rows"
    )
    results.add("simcse_vs_host", timing, note=note, floor=floor, other="host")
    results.measurements["simcse_vs_host"]["sentences_per_second"] = num_steps * batch_size / timing.median("ours")


@contextlib.contextmanager
def on_one_thread() -> Generator[None]:
    """Let torch use one thread within the block: products are counted on the caller's only."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def time_floor(results: Results, num_nodes: int, dimension: int, rates: Rates, budget_s: float) -> None:
    """Compare the rate of the tiled loss with the rate of matrix products on this machine."""
    torch.manual_seed(0)
    rows, columns = (torch.nn.functional.normalize(torch.randn(num_nodes, dimension), dim=1) for _ in range(2))
    rows.requires_grad_()
    columns.requires_grad_()

    def loss() -> None:
        tiled_symmetric_info_nce(rows, columns, temperature=0.8187).backward()

    timing = take_turns({"loss": loss}, budget_s=budget_s, max_turns=15)
    achieved = contrasting(num_nodes, dimension) / timing.median("loss")
    results.floor |= {
        "matrix_product_gflops": round(rates.products_per_s / 1e9, 2),
        "bandwidth_gb_s": round(rates.bytes_per_s / 1e9, 2),
        "tiled_loss_gflops": round(achieved / 1e9, 2),
        "tiled_loss_share": round(achieved / rates.products_per_s, 3),
        "tiled_loss_nodes": num_nodes,
        "tiled_loss_dimension": dimension,
    }

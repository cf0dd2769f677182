"""Two small Marian models trained on parallel text, there and back, to show back-translation with real models.

    python -m benchmarks.marian_tatoeba --data DATA/parallel/tatoeba/en-de.tsv.xz --output translators

writes ``translators/en-de`` and ``translators/de-en``, folders that the view takes as it takes downloaded ones, prints
chrF and BLEU of held-out pairs, and back-translates some held-out sentences. Minutes of training give poor
translations; what is shown is the path. A direction that is there already is not trained again.
"""

import argparse
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sacrebleu
import torch
from datasets import Dataset
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    DataCollatorForSeq2Seq,
    MarianConfig,
    MarianMTModel,
    PreTrainedTokenizerFast,
    Seq2SeqTrainer,
    Seq2SeqTrainingArguments,
)

from selfsent.data.sources import open_source
from selfsent.evaluation.tasks.bitext import is_heldout
from selfsent.views.back_translation import BackTranslation
from selfsent.views.translator import Translator

MAX_TOKENS = 48
NUM_SHOWN = 8


def read_pairs(source: str) -> tuple[tuple[str, str], list[tuple[str, str]], list[tuple[str, str]]]:
    """Read both languages' names, the pairs to train on, and those the suite bitext may test on."""
    opened = open_source(source)
    first, second = opened.text_columns[:2]
    train: list[tuple[str, str]] = []
    heldout: list[tuple[str, str]] = []
    for row in opened:
        pair = str(row[first]), str(row[second])
        (heldout if is_heldout(pair[0]) else train).append(pair)
    return (first, second), train, heldout


def shared_tokenizer(texts: Iterator[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """Train one byte-pair encoding for both languages, so that source and target share a table, as Marian's do."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    special = ["<pad>", "<unk>", "</s>"]
    tokenizer.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=vocab_size, special_tokens=special, show_progress=False)
    )
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 2)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        unk_token="<unk>",
        eos_token="</s>",
        model_max_length=MAX_TOKENS,
        model_input_names=["input_ids", "attention_mask"],
    )


def small_marian(vocab_size: int, width: int) -> MarianMTModel:
    """Make an untrained Marian of two layers a side."""
    config = MarianConfig(
        vocab_size=vocab_size,
        d_model=width,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=4 * width,
        decoder_ffn_dim=4 * width,
        max_position_embeddings=MAX_TOKENS,
        dropout=0.1,
        activation_function="relu",
        scale_embedding=True,
        pad_token_id=0,
        eos_token_id=2,
        forced_eos_token_id=2,
        decoder_start_token_id=0,
    )
    return MarianMTModel(config)


def train_direction(
    pairs: list[tuple[str, str]], tokenizer: PreTrainedTokenizerFast, folder: Path, options: argparse.Namespace
) -> None:
    """Train one direction and save it with its tokenizer."""
    torch.manual_seed(options.seed)
    model = small_marian(len(tokenizer), options.width)
    sources = tokenizer([pair[0] for pair in pairs], truncation=True)
    targets = tokenizer([pair[1] for pair in pairs], truncation=True)
    rows = {**sources, "labels": targets["input_ids"], "length": list(map(len, sources["input_ids"]))}
    arguments = Seq2SeqTrainingArguments(
        output_dir=str(folder.with_name(f"{folder.name}-checkpoints")),
        max_steps=options.steps,
        per_device_train_batch_size=options.batch_size,
        learning_rate=2e-3,
        lr_scheduler_type="linear",
        warmup_steps=0.1,
        label_smoothing_factor=0.1,
        train_sampling_strategy="group_by_length",
        save_strategy="no",
        logging_steps=100,
        report_to=[],
        seed=options.seed,
    )
    collator: Any = DataCollatorForSeq2Seq(tokenizer, model=model)
    Seq2SeqTrainer(model=model, args=arguments, data_collator=collator, train_dataset=Dataset.from_dict(rows)).train()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def scores(folder: Path, pairs: list[tuple[str, str]]) -> str:
    """Score held-out pairs: chrF and BLEU of greedy translations."""
    translator = Translator(model=folder, max_tokens=MAX_TOKENS)
    found: list[str] = []
    for start in range(0, len(pairs), 64):
        found.extend(translator([pair[0] for pair in pairs[start : start + 64]]))
    gold = [[pair[1] for pair in pairs]]
    chrf, bleu = sacrebleu.corpus_chrf(found, gold).score, sacrebleu.corpus_bleu(found, gold).score
    return f"{folder.name}: chrF {chrf:.1f}, BLEU {bleu:.1f} on {len(pairs)} held-out pairs"


def main() -> None:
    """Train what is missing, score both directions, back-translate some sentences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="two columns, named by language codes")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--batch-size", type=int, default=96)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--vocab-size", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    (here, there), train, heldout = read_pairs(options.data)
    test = random.Random(options.seed).sample(heldout, min(500, len(heldout)))
    forth, back = options.output / f"{here}-{there}", options.output / f"{there}-{here}"
    if not (forth.exists() and back.exists()):
        tokenizer = shared_tokenizer((text for pair in train for text in pair), options.vocab_size)
        for folder, pairs in ((forth, train), (back, [(b, a) for a, b in train])):
            if not folder.exists():
                train_direction(pairs, tokenizer, folder, options)
    print(scores(forth, test))
    print(scores(back, [(b, a) for a, b in test]))
    view = BackTranslation(forward=forth, backward=back, cache=options.output / "translations")
    texts = [pair[0] for pair in test[:NUM_SHOWN]]
    for text, again in zip(texts, view(texts), strict=True):
        print(f"{text}\t{again}")


if __name__ == "__main__":
    main()

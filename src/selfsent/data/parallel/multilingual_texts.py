"""Both sides of translations as texts of many languages, to train a tokenizer and to report how it fits."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from selfsent.data.masked_lm_tokenizer import train_bert_tokenizer
from selfsent.data.parallel.language_sampling import SampledTexts
from selfsent.data.parallel.parallel_filters import MAX_LENGTH_RATIO
from selfsent.data.tokenizer import train_tokenizer, vocabulary_report
from selfsent.encoding import uncut_ids
from selfsent.options import Options, option

_NUM_SAMPLED = 2000
_POORLY_KNOWN = 0.05
_PROBE = "Ä ß É ﬁ ñ"

LanguageTexts = Callable[[], Iterator[tuple[str, str]]]
"""Makes one pass over languages and texts."""


@dataclass(frozen=True, kw_only=True)
class LanguageOptions(Options):
    """How languages are balanced, and the tokenizer that they share.

    Args:
        language_alpha: Languages are drawn in proportion to the power alpha of their pairs (XLM: 0.5; XLM-R: 0.3); 0
            draws all alike.
        max_length_ratio: Pairs of which a side is so many times too long are left out (ours: 4).
        vocab_size: Pieces of the shared tokenizer of a model from scratch.
        lowercase: Whether that tokenizer folds case.
    """

    language_alpha: float = option(0.3, at_least=0, at_most=1)
    max_length_ratio: float = option(MAX_LENGTH_RATIO, above=1)
    vocab_size: int = option(32_000, at_least=1)
    lowercase: bool = True


def train_shared_tokenizer(
    texts: LanguageTexts,
    *,
    vocab_size: int,
    alpha: float,
    lowercase: bool = True,
    for_transformer: bool = False,
) -> PreTrainedTokenizerFast:
    """Train one tokenizer for all languages, on texts drawn by language.

    Args:
        texts: Makes one pass over languages and texts.
        vocab_size: Most pieces.
        alpha: How much size counts, see `selfsent.data.parallel.language_sampling.shares`.
        lowercase: Fold case.
        for_transformer: Whether texts begin and end with tokens of their own, and a mask token is there.

    Raises:
        UserError: As the training of tokenizers; ``alpha`` is out of range.
    """
    sampled = SampledTexts(texts, alpha=alpha)
    train = train_bert_tokenizer if for_transformer else train_tokenizer
    return cast("PreTrainedTokenizerFast", train(sampled, vocab_size=vocab_size, lowercase=lowercase))


def callable_tokenizer(tokenizer: Any) -> Any:
    """Give a bare tokenizer, such as that of a static embedding, the interface of the others."""
    if isinstance(tokenizer, Tokenizer):
        return PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    return tokenizer


def vocabulary_notes(tokenizer: Any, texts: LanguageTexts, *, max_seq_length: float | None = None) -> list[str]:
    """Tell how well a student's vocabulary fits each language, with a warning where much is unknown to it.

    Args:
        tokenizer: The student's.
        texts: Makes one pass over languages and texts; of each language two thousand are looked at.
        max_seq_length: Tokens a text is cut to.
    """
    samples: dict[str, list[str]] = {}
    for language, text in texts():
        sample = samples.setdefault(language, [])
        if len(sample) < _NUM_SAMPLED:
            sample.append(text)
    reports = {language: vocabulary_report(tokenizer, sample) for language, sample in samples.items()}
    parts = [f"{language} {report['pieces_per_word']:.2f}" for language, report in reports.items()]
    notes = [f"vocabulary of {len(tokenizer):,} pieces; pieces a word: {', '.join(parts)}"]
    limit = math.inf if max_seq_length is None else max_seq_length
    cut = {language: _cut_share(tokenizer, sample, limit) for language, sample in samples.items()}
    if max(cut.values()) > 0:
        shares = ", ".join(f"{language} {100 * share:.1f}%" for language, share in cut.items())
        notes.append(f"texts longer than {limit:.0f} tokens are cut: {shares}; raise max_seq_length to keep more")
    unknown = {language: report["unknown_share"] for language, report in reports.items()}
    poor = [f"{language} {100 * share:.0f}%" for language, share in unknown.items() if share > _POORLY_KNOWN]
    if poor:
        notes.append(
            f"warning: the student's tokenizer does not know all scripts; unknown tokens: {', '.join(poor)}; take a"
            " multilingual --base, or train one from scratch (--base static, tree or transformer)"
        )
    return notes


def _cut_share(tokenizer: Any, sample: list[str], limit: float) -> float:
    if math.isinf(limit):
        return 0.0
    ids = uncut_ids(tokenizer, sample, has_ends=True)
    return sum(len(row) > limit for row in ids) / len(ids)


def normalisation_note(teacher: Any, student: Any) -> list[str]:
    """Tell where two tokenizers normalise text differently: each reads the raw text, so this alone loses nothing."""
    normal = [_normalised(tokenizer) for tokenizer in (teacher, student)]
    if None in normal or normal[0] == normal[1]:
        return []
    note = (
        f"teacher and student normalise text differently: {_PROBE!r} is {normal[0]!r} to the one and {normal[1]!r} to"
        " the other; each reads the text as it is, so texts that only the teacher tells apart become one average"
    )
    return [note]


def _normalised(tokenizer: Any) -> str | None:
    """What a tokenizer makes of accents, case and ligatures; ``None`` for one that does not say."""
    backend = getattr(tokenizer, "backend_tokenizer", tokenizer)
    if not hasattr(backend, "normalizer"):
        return None
    return _PROBE if backend.normalizer is None else str(backend.normalizer.normalize_str(_PROBE))

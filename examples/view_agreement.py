"""How much views of a sentence agree before any training. First: pip install selfsent."""

import os
import random
from difflib import SequenceMatcher
from itertools import islice

import torch

from selfsent.data.sources import open_source
from selfsent.methods.starting_model import from_scratch, open_transformer
from selfsent.views import make_view

if (data := os.environ.get("SELFSENT_DATA")) and (models := os.environ.get("SELFSENT_MODELS")):
    corpus = list(islice(open_source(f"{data}/corpus/enwiki-sentences.txt.xz").texts(), 20_000))
    texts, base, more = corpus[:500], f"{models}/bert-tiny-wiki34m", ("synonym", "masked-lm")
    model = open_transformer(base, pooling="mean", max_seq_length=64, device="cpu")
else:
    texts = [f"the {who} sees a {thing} near the old house" for who in ("cat", "dog") for thing in ("ball", "car")]
    corpus, base, more = texts, None, ()
    model = from_scratch("static", texts, device="cpu")


@torch.no_grad()
def embeddings(texts: list[str], *, dropout: bool = False) -> torch.Tensor:
    features = [model.train(dropout).preprocess(texts[at : at + 50]) for at in range(0, len(texts), 50)]
    return torch.nn.functional.normalize(torch.cat([model(one)["sentence_embedding"] for one in features]), dim=1)


torch.manual_seed(1)
plain, noisy = embeddings(texts), embeddings(texts, dropout=True)
print(f"other sentences: cosine {float((plain[:-1] * plain[1:]).sum(dim=1).mean()):.3f}")
print(f"dropout alone (two passes): cosine {float((noisy * embeddings(texts, dropout=True)).sum(dim=1).mean()):.3f}")
for name in ("crop-10", "crop-30", "delete-one", "delete-30", "crop-10+delete-one", *more):
    random.seed(0)
    view = make_view(name, texts=corpus, masked_lm=base)(texts)
    cosine = float((plain * embeddings(view)).sum(dim=1).mean())
    kept = sum(SequenceMatcher(None, a, b, autojunk=False).ratio() for a, b in zip(texts, view, strict=True))
    print(f"{name}: cosine {cosine:.3f}, {100 * kept / len(texts):.0f}% of the characters kept")

"""Encode a corpus to a file, and put it into a store that a second run only adds to.

First: pip install 'selfsent[search]'.
"""

from pathlib import Path

import selfsent

texts = [f"{who} {verb} the {thing}" for who in ("Anna", "Ben", "Carla") for verb in ("paints", "sells", "repairs")
         for thing in ("boat", "chair", "fence", "bicycle")]  # fmt: skip
Path("notes.txt").write_text("\n".join(texts), encoding="utf8")
selfsent.train("self-strae", "notes.txt", "model", training={"max_steps": 10, "per_device_train_batch_size": 8})

print(selfsent.encode("model", "notes.txt", "vectors.parquet", overwrite=True))
print(selfsent.index("model", "notes.txt", "store"))
print(selfsent.index("model", "notes.txt", "store"))  # nothing is done twice
for hit in selfsent.query("store", "who repairs a bicycle?", k=3).hits:
    print(f"{hit.score:.2f} {hit.text}")

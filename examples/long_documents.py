"""Cut a long document into passages that a model reads whole; nothing is lost. First: pip install 'selfsent[files]'."""

from pathlib import Path

from selfsent.documents import open_documents, passages

chapters = [f"## Chapter {number}\n\n" + "The harbour was quiet that night. " * 30 for number in range(1, 6)]
Path("book.md").write_text("# A long book\n\n" + "\n\n".join(chapters), encoding="utf8")

(document,) = open_documents("book.md")
cut = list(passages(document, max_tokens=64, count_tokens=lambda text: len(text.split())))
print(f"{document.title}: {len(document.text):,} characters in {len(cut)} passages")
for passage in cut[:3]:
    print(f"characters {passage.start} to {passage.end}: {passage.text[:40]!r}")

kept = sum(len(passage.text.split()) for passage in cut)
assert kept == len(document.text.split())

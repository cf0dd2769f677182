"""Build a search of a folder of documents and ask it. First: pip install 'selfsent[search,files]'."""

from pathlib import Path

import selfsent

PAGES = {
    "leave": "Everyone has thirty days of leave a year. Ask your team lead two weeks before. Unused days expire in March.",
    "travel": "Book trains and flights through the travel desk. Keep every receipt. Hotels may cost 120 euros a night.",
    "laptops": "The help desk lends laptops. Report a lost laptop at once. Disks are encrypted and backed up nightly.",
    "pay": "Salaries are paid on the last working day. Payslips are in the portal. Bonuses are paid in June.",
}
folder = Path("handbook")
folder.mkdir(exist_ok=True)
for number in range(12):  # a real folder has more pages than this one
    for name, text in PAGES.items():
        (folder / f"{name}-{number}.md").write_text(f"# {name.title()} in office {number}\n\n{text}\n", encoding="utf8")

report = selfsent.build(folder, "handbook-search", minutes=0.5)
print("documents read:", report["documents"]["read"])
answers = selfsent.query("handbook-search", "how many days of holiday do I have?", k=3)
for hit in answers.hits:
    print(f"{hit.score:.2f} {hit.title}: {hit.text[:60]}")
assert answers.hits

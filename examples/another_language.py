"""Train and search in another language: nothing is English-only. First: pip install 'selfsent[search]'."""

from pathlib import Path

import selfsent

SAETZE = {
    "Urlaub": "Alle haben dreißig Tage Urlaub im Jahr. Der Antrag geht an die Leitung.",
    "Reisen": "Züge bucht die Reisestelle. Belege sind aufzuheben.",
    "Geräte": "Die Technik verleiht Rechner. Verlorene Geräte sind sofort zu melden.",
}
folder = Path("handbuch")
folder.mkdir(exist_ok=True)
for number in range(12):
    for name, text in SAETZE.items():
        page = f"# {name} im Büro {number}\n\n{text}\n"
        (folder / f"{name}-{number}.md").write_text(page, encoding="utf8")

report = selfsent.build(folder, "handbuch-suche", minutes=0.5)
for hit in selfsent.query("handbuch-suche", "Wie viele Urlaubstage habe ich?", k=2).hits:
    print(f"{hit.score:.2f} {hit.title}")

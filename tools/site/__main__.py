"""Build the site into ``site/``: ``python -m tools.site`` (``make docs``). Needs the extra ``docs`` and no network."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools.site.links import problems_of
from tools.site.pages import ROOT, assemble

BUILT = ROOT / "site"
_PLAIN = os.environ | {"NO_COLOR": "1"}


def main(pages: Path = ROOT / "build" / "pages", built: Path = BUILT) -> int:
    """Assemble, build and check; give the exit code."""
    assemble(pages)
    shutil.rmtree(built, ignore_errors=True)
    zensical = Path(sys.executable).with_name("zensical")
    done = subprocess.run(
        [zensical, "build", "--strict", "--clean"], cwd=ROOT, check=False, capture_output=True, text=True, env=_PLAIN
    )
    if done.returncode:
        print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
        return done.returncode
    problems = problems_of(built)
    print("".join(f"{problem}\n" for problem in problems), end="", file=sys.stderr)
    num_pages = len(list(built.rglob("*.html")))
    print(f"{num_pages} pages in {built.relative_to(ROOT)}/; open {built.relative_to(ROOT)}/index.html")
    return int(bool(problems))


if __name__ == "__main__":
    raise SystemExit(main())

"""Build wheel and sdist, install each in an empty environment, and try what a user does first.

``python -m tools.release`` (``make release``) leaves both in dist/. In each environment: the version, a build of a
small folder, a search in it, and a training with a loss of ours in the host's trainer. Takes minutes: PyTorch is
installed twice, from whatever index pip is set to.
"""

import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import selfsent

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"
EXTRAS = "search,files"
OF_THE_SDIST = ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "recipes/tree-10m.toml", "examples/simcse.py")


def built(folder: Path) -> list[Path]:
    """Build sdist and wheel with the declared backend; give both files.

    Args:
        folder: Where they go.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []
    for kind in ("wheel", "sdist"):
        code = f"import hatchling.build; print(hatchling.build.build_{kind}({str(folder)!r}))"
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
        made.append(folder / done.stdout.strip().splitlines()[-1])
    return made


def contents(path: Path) -> set[str]:
    """The names in a wheel, or in an sdist without its top folder."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            return set(wheel.namelist())
    with tarfile.open(path) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


def try_out(path: Path, folder: Path) -> None:
    """Install a distribution in an empty environment, and use it as a new user does.

    Args:
        path: Wheel or sdist.
        folder: An empty folder.

    Raises:
        CalledProcessError: A step failed; its output was shown.
    """
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    binaries = folder / "venv" / "bin"
    constraints = ROOT / "constraints.txt"
    _run([binaries / "python", "-m", "pip", "install", "--quiet", "-c", constraints, f"{path}[{EXTRAS}]"], folder)
    handbook = folder / "handbook"
    handbook.mkdir()
    for number in range(30):
        text = f"# Office {number}\n\nOffice {number} lends laptops. Everyone has thirty days of leave a year.\n"
        (handbook / f"office-{number}.md").write_text(text, encoding="utf8")
    shown = _run([binaries / "selfsent", "--version"], folder)
    assert shown.split() == ["selfsent", selfsent.__version__], shown
    _run([binaries / "selfsent", "build", "handbook", "--output", "search", "--minutes", "0.5"], folder)
    answer = _run([binaries / "selfsent", "search", "search", "laptops of office 7", "--json"], folder)
    assert "office-7.md" in answer, answer
    _run([binaries / "python", ROOT / "examples" / "loss_in_your_script.py"], folder)


def _run(command: Sequence[str | Path], folder: Path) -> str:
    """Run a command away from the checkout, so that only what is installed is imported."""
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, env=environment)
    if done.returncode:
        print(done.stdout, done.stderr, file=sys.stderr)
        done.check_returncode()
    return done.stdout


def main() -> int:
    """Build both, look into them, and try each."""
    wheel, sdist = built(DIST)
    missing = [name for name in OF_THE_SDIST if name not in contents(sdist)]
    assert not missing, f"the sdist lacks {missing}"
    for path in (wheel, sdist):
        with tempfile.TemporaryDirectory(prefix="selfsent-release-") as folder:
            try_out(path, Path(folder))
        print(f"{path.relative_to(ROOT)}: installed, built a search, searched, trained with a loss")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""What every lesson shares: the badge row and the setup cell, made from one setting and the course's version."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from course_utils import __version__

ROOT = Path(__file__).resolve().parents[1]
BADGES, SETUP = "# {{badges}}", "# {{setup}}"  # whole lines of a source
COLAB_BADGE = "https://colab.research.google.com/assets/colab-badge.svg"
README_BADGE = re.compile(r"\[!\[Open in Colab\]\([^)]*\)\]\([^)]*/notebooks/(\w+)\.ipynb\)")
README_CLONE = re.compile(r"(git clone(?: --depth \d+)?) (?:--branch \S+ )?https://\S+")

SETUP_CODE = """\
import pathlib, subprocess, sys

if "google.colab" in sys.modules:  # at home `make lab` has done all this
    here = pathlib.Path.cwd()
    course = next((p for p in (here, *here.parents) if (p / "course_utils").is_dir()), here / "{folder}")
    if not course.exists():
        git = "git -c advice.detachedHead=false clone -q --depth 1 --branch {tag} {repository}"
        subprocess.run([*git.split(), course], check=True)
    sys.path.insert(0, str(course))
    from course_utils import doctor
    if wanted := doctor.to_install():  # what is missing or out of range; nothing else is moved
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", *wanted], check=True)"""


@dataclass(frozen=True)
class Address:
    """Where the course is published."""

    repository: str  # https://github.com/OWNER/NAME
    tag: str  # what Colab opens and clones

    @property
    def path(self) -> str:
        """Return OWNER/NAME."""
        return self.repository.removeprefix("https://github.com/").removesuffix(".git").strip("/")

    @property
    def folder(self) -> str:
        """Return the folder that a clone makes."""
        return self.path.rsplit("/", 1)[-1]


def address(root: Path = ROOT) -> Address:
    """Return the repository, `[tool.course]` in pyproject.toml, and the tag of this version."""
    return Address(_settings(root)["repository"], f"v{__version__}")


def drafts(root: Path = ROOT) -> tuple[str, ...]:
    """Return the numbers of the lessons that are not published yet."""
    return tuple(_settings(root).get("drafts", ()))


def _settings(root: Path) -> dict:
    return tomllib.loads((root / "pyproject.toml").read_text())["tool"]["course"]


def badge(name: str, where: Address) -> str:
    """Return the Colab badge of the lesson called `name` (no suffix)."""
    link = f"https://colab.research.google.com/github/{where.path}/blob/{where.tag}/notebooks/{name}.ipynb"
    return f"[![Open in Colab]({COLAB_BADGE})]({link})"


def expand(source: str, name: str, where: Address) -> str:
    """Return a lesson's source with the badge row and the setup cell in place of their markers.

    Raises:
        ValueError: a marker is missing or stands twice.
    """
    lines = source.splitlines()
    products = {
        BADGES: f"# {badge(name, where)} · at home: `make lab`",
        SETUP: SETUP_CODE.format(folder=where.folder, tag=where.tag, repository=where.repository),
    }
    for marker in products:
        if (count := lines.count(marker)) != 1:
            raise ValueError(f"{name}: the line {marker!r} must stand exactly once, found {count}.")
    return "\n".join(products.get(line, line) for line in lines) + "\n"


def readme(text: str, where: Address) -> str:
    """Return the README with every badge and clone command pointing to `where`."""
    text = README_BADGE.sub(lambda match: badge(match[1], where), text)
    return README_CLONE.sub(lambda match: f"{match[1]} --branch {where.tag} {where.repository}", text)

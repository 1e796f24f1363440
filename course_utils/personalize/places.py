"""Take a file home before Colab forgets it."""

from __future__ import annotations

import shutil
from pathlib import Path

from .. import env

DRIVE = Path("/content/drive")
PLACES = ("download", "drive")


def send(path: str | Path, to: str | Path = "download") -> Path:
    """Send a file to where it outlives this session.

    Args:
        path: the file.
        to: "download" starts a download in the browser, "drive" copies into the folder course_utils of your Google
            Drive (it asks for leave): both on Colab only. A folder works everywhere.

    Returns:
        Where the file lies then; after a download where it lay.

    Raises:
        FileNotFoundError: no such file.
        ValueError: "download" or "drive" on a computer of your own, where the file already outlives the session.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"path={str(path)!r} is no file.")
    if to in PLACES and env.place() != "colab":
        raise ValueError(f"to={to!r} works on Colab; here the file stays in {path.parent}. Give a folder to copy it.")
    if to == "download":
        from google.colab import files

        files.download(str(path))
        return path
    if to == "drive":
        from google.colab import drive

        drive.mount(str(DRIVE))
        to = DRIVE / "MyDrive" / "course_utils"
    Path(to).mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy2(path, to))

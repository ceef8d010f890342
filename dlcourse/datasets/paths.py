"""Paths from the user: `~` expands, and a missing file is an error of one line."""

from difflib import get_close_matches
from pathlib import Path

from dlcourse.errors import DatasetError


def existing_file(path: str | Path) -> Path:
    """Return `path`, relative to the current folder, if it is a file."""
    file = existing(path, "file")
    if file.is_dir():
        raise DatasetError(f"{file} is a folder: a file is expected")
    return file


def existing_folder(path: str | Path) -> Path:
    """Return `path`, relative to the current folder, if it is a folder."""
    folder = existing(path, "folder")
    if not folder.is_dir():
        raise DatasetError(f"{folder} is a file: a folder is expected")
    return folder


def existing(path: str | Path, kind: str = "file or folder") -> Path:
    """Return `path`, relative to the current folder, if it exists."""
    wanted = Path(path).expanduser()
    if wanted.exists():
        return wanted
    folder = wanted.parent
    siblings = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    near = get_close_matches(wanted.name, siblings, 1)
    hint = f"did you mean '{folder / near[0]}'?" if near else f"looked in {folder.resolve()}"
    if ":/" in str(path)[2:]:  # not C:/
        hint = "an address: download the file, or give the DataFrame of pandas.read_csv"
    raise DatasetError(f"{wanted}: no such {kind} ({hint})")

"""The user's paths: `~` expands, and what is missing is said in one line."""

from difflib import get_close_matches
from pathlib import Path

from dlcourse.errors import DatasetError


def existing_file(path: str | Path) -> Path:
    """Return `path`, relative to the current folder, if it is a file."""
    found = existing(path, "file")
    if found.is_dir():
        raise DatasetError(f"{found} is a folder: a file is expected")
    return found


def existing_folder(path: str | Path) -> Path:
    """Return `path`, relative to the current folder, if it is a folder."""
    found = existing(path, "folder")
    if not found.is_dir():
        raise DatasetError(f"{found} is a file: a folder is expected")
    return found


def existing(path: str | Path, kind: str = "file or folder") -> Path:
    """Return `path`, relative to the current folder, if there is such a file or folder."""
    found = Path(path).expanduser()
    if found.exists():
        return found
    folder = found.parent
    siblings = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    near = get_close_matches(found.name, siblings, 1)
    hint = f"did you mean '{folder / near[0]}'?" if near else f"looked in {folder.resolve()}"
    raise DatasetError(f"{found}: no such {kind} ({hint})")

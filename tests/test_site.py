"""The course's site: its pages as they are written, and each in Chromium, without a network.

The tests in Chromium look at a site that is already made: `make site`, or the folder that the
environment variable DLCOURSE_SITE names.
"""

import ast
import os
import re
from collections import Counter
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

pytest.importorskip("jupytext")
pytest.importorskip("nbconvert")

import jupytext
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from webapp_server import browser, needs_browser

from notebooks import build, website
from notebooks.build import COLUMNS, INSTALL, SOURCES, badge, heading
from notebooks.website import FILES, ROOT

SITE = Path(os.environ.get("DLCOURSE_SITE", ROOT / "site"))
MATHS = SOURCES[1]
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"
    "AAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
ALT = "A single point, and nothing around it."
TEXT = f"""# One neuron

{badge(MATHS)}

**Question.** Why?"""
LESSON = """## The sum

**Predict, then run.** A neuron adds up: $z = wx$, or $\\frac{1}{2}$ of it, as notebooks 02 and 05
(`notebook 03`) say.

$$a = \\max(0, z)$$

[Descent](02_gradient_descent.ipynb#The-goal), [errata](../docs/errata.md) and [a paper](https://x.org/y)."""


def slider(name, value):
    limits = {"min": 0.0, "max": 2.0, "step": 0.5, "readout_format": ".2f"}
    return {"state": {"description": name, "value": value, **limits}}


def small():
    """Return an executed notebook of five cells: text, setup, text, a picture, a slider."""
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "box"}, "text/plain": "box"}
    choice = {"_options_labels": ["tanh", "relu"], "index": 1, "description": "activation"}
    state = {
        "box": {"state": {"children": ["IPY_MODEL_w", "IPY_MODEL_g"]}},
        "w": slider("weight <w>", 1.5),
        "g": {"state": choice},
    }
    drawn = {"data": {"image/png": PIXEL}, "output_type": "display_data"}
    framed = {"data": {"text/html": f'<img src="data:image/png;base64,{PIXEL}">'}}
    cells = [
        new_markdown_cell(TEXT),
        new_code_cell(INSTALL),
        new_markdown_cell(LESSON),
        new_code_cell(
            "# Draw a point.\nplt.show()",
            metadata={"alt": ALT},
            outputs=[new_output(**drawn), new_output("display_data", **framed)],
        ),
        new_code_cell("interact(f)", outputs=[new_output("display_data", data=view)]),
    ]
    widgets = {"application/vnd.jupyter.widget-state+json": {"state": state}}
    return new_notebook(cells=cells, metadata={"widgets": widgets})


@pytest.fixture(scope="module")
def pages():
    home, guide = website.texts()
    return [home, website.lesson(MATHS, small()), guide]


def html(pages, place=1):
    return website.framed(pages)[pages[place].file]


def test_links_lead_to_pages_also_within_them_and_out(pages):
    body = pages[1].body
    assert '<a href="02_gradient_descent.html#The-goal">Descent</a>' in body
    assert '<a href="https://x.org/y">a paper</a>' in body
    assert "notebooks <a" in body
    assert re.findall(r'<a href="(\w+\.html)">0\d</a>', body) == [
        "02_gradient_descent.html",
        "05_backpropagation.html",
    ]
    assert "<code>notebook 03</code>" in body


def test_a_link_into_the_repository_is_kept_where_there_is_one(pages, monkeypatch):
    assert ", errata and" in pages[1].body
    monkeypatch.setattr(build, "REPOSITORY", "owner/dlcourse")
    assert website.address("../docs/errata.md") == (
        "https://github.com/owner/dlcourse/blob/main/docs/errata.md"
    )


def test_the_button_of_colab_needs_a_repository(pages, monkeypatch):
    assert "colab.research" not in html(pages)
    assert "On Colab: upload this notebook" in html(pages)
    monkeypatch.setattr(build, "REPOSITORY", "owner/dlcourse")
    address = "https://colab.research.google.com/github/owner/dlcourse/blob/main/notebooks"
    assert f'href="{address}/01_maths.ipynb">Open in Colab</a>' in html(pages)
    assert "On Colab: upload" not in html(pages)


def test_a_lesson_is_shown_without_its_badge_and_with_the_setup_folded(pages):
    assert "badge" not in pages[1].body
    assert re.search(
        r'<details class="setup"><summary>[^<]+</summary>.*find_spec', html(pages), re.S
    )
    assert '<p class="callout"><strong>Predict, then run.' in pages[1].body
    assert '<a class="button" href="01_maths.ipynb" download>' in html(pages)


def test_pictures_are_inside_with_the_alt_text_of_their_cell(pages):
    images = re.findall(r"<img[^>]*>", pages[1].body)
    assert len(images) == 2
    assert all(f'alt="{ALT}"' in image for image in images)
    assert all("data:image/png;base64," in image for image in images)


def test_sliders_and_choices_are_shown_as_they_stood(pages):
    assert re.search(r'weight &lt;w&gt; <input[^>]*value="1.5"[^>]*/?> 1\.50', pages[1].body)
    assert re.search(r"<select disabled[^>]*><option>relu</option>", pages[1].body)
    assert "widget" not in pages[1].body


def test_the_search_reads_texts_and_code_by_heading(pages):
    first, *rest = pages[1].found
    assert first[:2] == ["01_maths.html", ""]
    assert [entry[:2] for entry in rest] == [["01_maths.html#The-sum", "The sum"]]
    assert "A neuron adds up: z = wx, or … of it" in rest[0][2]
    assert "# Draw a point. plt.show()" in rest[0][2]
    assert "$" not in str(pages[1].found)
    assert "One neuron" in website.framed(pages)["search.js"]


def test_the_first_page_has_every_notebook_in_order_with_its_question_and_time(pages):
    rows = re.findall(r'<tr role="row">(.*?)</tr>', pages[0].body, re.S)[1:]
    assert [re.search(r'href="([^"]+)"', row)[1] for row in rows] == list(FILES.values())
    for source, row in zip(SOURCES, rows, strict=True):
        words, about = re.sub(r"<[^>]+>", "", row), heading(source)
        assert all(about[column] in words for column in COLUMNS)


def test_the_guide_links_slides_and_words_to_notebooks_and_cells(pages):
    body = pages[2].body
    assert '<a href="09_convolutional_networks.html#cell-21">09, cell 21</a>' in body
    assert re.search(r'<td>accuracy</td>\s*<td>[^<]*</td>\s*<td><a href="00_', body)
    assert '<a href="appendix_errata.html#cell-3">A, cell 3</a>' in body
    assert "To change a notebook" not in body
    assert "notebooks 05 and" not in body


def test_readmes_own_links_lead_to_its_two_pages():
    from bs4 import BeautifulSoup

    text = "<h2>What of Keras, and what of ours</h2><a href='#what-of-keras-and-what-of-ours'>x</a>"
    tree = BeautifulSoup(f"{text}<a href='#open-one'>y</a><td>10 minutes</td>", "html.parser")
    website.readme(tree, "guide.html")
    assert [a["href"] for a in tree("a")] == [f"#{tree.h2['id']}", "index.html#open-one"]
    assert tree.h2["id"] == "what-of-keras-and-what-of-ours"


def test_each_page_leads_to_the_previous_and_the_next(pages):
    ways = re.compile(r'rel="(prev|next)" href="([^"]+)"')
    first, middle, last = (ways.findall(html(pages, place)) for place in range(3))
    assert first == [("next", "01_maths.html")]
    assert middle == [("prev", "index.html"), ("next", "guide.html")]
    assert last == [("prev", "01_maths.html")]


def test_a_page_loads_only_what_lies_beside_it(pages, tmp_path):
    website.write(pages, tmp_path)
    for file in tmp_path.glob("*.html"):
        text = file.read_text("utf-8")
        loaded = re.findall(r'<(?:script|link|img|iframe)\b[^>]*?\s(?:src|href)="([^"]*)"', text)
        assert [
            x for x in loaded if not x.startswith("data:") and not (tmp_path / x).exists()
        ] == []
    assert not re.search(r"https?://|url\(|@import", (tmp_path / "site.css").read_text("utf-8"))
    assert "http" not in (tmp_path / "site.js").read_text("utf-8")
    assert (tmp_path / "01_maths.ipynb").read_bytes() == MATHS.with_suffix(".ipynb").read_bytes()


def test_a_notebook_is_run_again_only_when_it_or_the_package_has_changed(tmp_path, monkeypatch):
    runs = []
    source = tmp_path / "01_x.py"
    source.write_text("# %%\n1\n")
    monkeypatch.setattr(website, "KEPT", tmp_path / "kept")
    monkeypatch.setattr(website, "executed", lambda *_: (runs.append(1) or small(), 1.0))
    for _ in range(2):
        assert len(website.ran(source).cells) == 5
    assert len(runs) == 1
    source.write_text("# %%\n2\n")
    website.ran(source)
    assert len(runs) == 2
    monkeypatch.setattr(website, "packages", lambda: b"another version")
    website.ran(source)
    assert len(runs) == 3
    assert len(list((tmp_path / "kept").iterdir())) == 1


def test_a_file_in_the_place_of_the_folder_is_named_before_anything_is_run(tmp_path, capsys):
    (tmp_path / "site").touch()
    with pytest.raises(SystemExit):
        website.main([str(tmp_path / "site")])
    assert "site is a file: name a folder for the pages" in capsys.readouterr().err


def test_the_digest_reads_the_package_and_the_versions(monkeypatch):
    before = website.packages.__wrapped__()
    assert website.packages.__wrapped__() == before
    monkeypatch.setattr(website, "made_with", lambda: ["keras 4"])
    assert website.packages.__wrapped__() != before


LOOK = Path(__file__).with_name("site_look.js").read_text("utf-8")
READY = (
    "!document.querySelector('[src=\"tex-svg.js\"]') || document.documentElement.dataset.formulas"
)


@cache
def sources():
    return {FILES[source.stem]: jupytext.read(source).cells for source in SOURCES}


def formulas(text):
    """Return the formulas of a Markdown text, without what stands in code."""
    text = re.sub(r"^```.*?^```|`[^`]*`", "", text, flags=re.M | re.S)
    return re.findall(r"\$\$.+?\$\$|\$[^$]+\$", text, re.S)


KINDS = ("outputs", "pictures")
SPEAKS = {"print", "show", "check", "interact", "display", "summary"}


def speaks(code):
    """Whether a cell puts out something: it prints, shows, or ends with a value."""
    tree = ast.parse(re.sub(r"^( *)[%!].*", r"\1pass", code, flags=re.M))
    top = [node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.ClassDef)]
    calls = [x for node in top for x in ast.walk(node) if isinstance(x, ast.Call)]
    names = {ast.unparse(call.func).split(".")[-1] for call in calls}
    return bool(names & SPEAKS) or isinstance(tree.body[-1], ast.Expr)


def missing_outputs(seen, cells):
    for place, cell in enumerate(cells):
        if cell.cell_type == "code" and cell.source != INSTALL:
            words, pictures = (seen[kind].get(f"cell-{place}", 0) for kind in KINDS)
            if cell.metadata.get("alt") and not pictures:
                yield f"cell {place} shows no picture"
            elif speaks(cell.source) and not words + pictures:
                yield f"cell {place} shows no output"


def formulas_not_set(seen, cells):
    for place, cell in enumerate(cells):
        if cell.cell_type == "markdown":
            asked, done = len(formulas(cell.source)), seen["formulas"].get(f"cell-{place}", -1)
            if asked != done:
                yield f"cell {place}: {done} of {asked} formulas"


def faults(seen, cells=()):
    """Return what is wrong with a page that was looked at: the kind of fault → its places."""
    found = {key: seen[key] for key in ("alt", "unseen", "dollars", "merror", "names", "faint")}
    found["ids"] = [name for name, times in Counter(seen["ids"]).items() if times > 1]
    found["silent"] = [seen["silent"]] * (seen["silent"] > 0)
    found["wide"] = [seen["wide"]] * (seen["wide"] > 0)
    found["levels"] = [(a, b) for a, b in pairwise(seen["levels"]) if b > a + 1]
    found["head"] = [key for key in ("title", "lang") if not seen[key]] + ["h1"] * (seen["h1"] != 1)
    found["outputs"] = list(missing_outputs(seen, cells))
    found["formulas"] = list(formulas_not_set(seen, cells))
    return {kind: places for kind, places in found.items() if places}


def broken_links(seen):
    """Return the links among pages that lead nowhere: of each page what LOOK saw."""
    for file, page in seen.items():
        for link in page["links"]:
            place, _, anchor = link.partition("#")
            if re.match(r"(https?|mailto):", link):
                continue
            if not place.endswith(".html") and place:
                if not (page["folder"] / place).exists():
                    yield f"{file}: {link}"
            elif (place or file) not in seen or (
                anchor and anchor not in seen[place or file]["ids"]
            ):
                yield f"{file}: {link}"


def opened(page, file):
    """Open a page of the site, its formulas set."""
    page.goto(file.as_uri())
    page.wait_for_function(READY)


def look(page, file):
    """Return what is to be seen of a page, and its faint words in both colours."""
    faint = []
    for colours in ("dark", "light"):
        page.emulate_media(color_scheme=colours)
        if colours == "dark":
            opened(page, file)
        seen = page.evaluate(LOOK)
        faint += [f"{colours}: {words}" for words in seen["faint"]]
    return {**seen, "faint": faint, "folder": file.parent}


@pytest.fixture(scope="module")
def phone():
    """A page of Chromium, 390 pixels wide, without a network."""
    with browser(offline=True) as new:
        page = new("about:blank", size="phone")
        page.failed = []
        page.on("requestfailed", lambda request: page.failed.append(request.url))
        yield page


@pytest.fixture
def site():
    if not (SITE / "index.html").exists():
        pytest.skip(f"there is no site in {SITE}: `make site`, or DLCOURSE_SITE=<folder>")
    return SITE


@pytest.mark.slow
@needs_browser
def test_every_page_is_whole_in_chromium_on_a_phone_without_a_network(phone, site):
    wrong, seen = {}, {}
    assert {file.name for file in site.glob("*.html")} == {
        "index.html",
        *FILES.values(),
        "guide.html",
    }
    for file in sorted(file.name for file in site.glob("*.html")):
        seen[file] = look(phone, site / file)
        wrong |= {file: found} if (found := faults(seen[file], sources().get(file, ()))) else {}
    assert wrong == {}
    assert list(broken_links(seen)) == []
    assert phone.outside + phone.failed + phone.errors == []


@pytest.mark.slow
@needs_browser
def test_the_site_is_of_todays_notebooks_and_package(site):
    made_of = {
        file: re.search(r'name="made-of" content="(\w+)"', (site / file).read_text("utf-8"))[1]
        for file in FILES.values()
    }
    today = {FILES[source.stem]: website.digest(source) for source in SOURCES}
    assert made_of == today, "run `make site` again"


PLANTED = {
    "outputs": ('class="outputs"', 'class="nothing"'),
    "outputs of a cell that is not there": ('class="code" id="cell-4"', ""),
    "formulas": ("$z = wx$", "z = wx"),
    "dollars": ("A neuron", "A $ neuron"),
    "merror": ("$z = wx$", r"$\left( z$"),
    "merror of an unknown name": ("$z = wx$", r"$\unknown z$"),
    "alt": (ALT, "A point"),
    "unseen": (PIXEL, "AAAA"),
    "wide": ("A neuron", '<span style="display: block; width: 500px">A</span> neuron'),
    "faint": ("A neuron", '<span style="color: #999">A</span> neuron'),
    "faint in the dark": ("A neuron", '<span style="color: #00f">A</span> neuron'),
    "names": ("A neuron", '<a href="index.html"><img alt="" src="data:,"></a>'),
    "ids": ("A neuron", '<b id="main">A</b> neuron'),
    "levels": ("A neuron", "<h4>A</h4> neuron"),
    "head": ('lang="en"', ""),
}


@pytest.fixture
def planted(pages, tmp_path):
    """Return the function that writes a small site with a text of a page replaced."""

    def write(old, new):
        website.write(pages, tmp_path)
        file = tmp_path / "01_maths.html"
        text = file.read_text("utf-8")
        assert old in text
        file.write_text(text.replace(old, new), "utf-8")
        return file

    return write


@pytest.mark.slow
@needs_browser
def test_a_small_site_is_whole(phone, planted):
    file = planted("", "")
    assert faults(look(phone, file), small().cells) == {}
    assert phone.outside + phone.errors == []


@pytest.mark.slow
@needs_browser
@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_fault_is_found(phone, planted, kind):
    file = planted(*PLANTED[kind])
    assert kind.split()[0] in faults(look(phone, file), small().cells)


@pytest.mark.slow
@needs_browser
def test_a_request_to_elsewhere_is_found(phone, planted):
    look(phone, planted("A neuron", '<img alt="" src="https://example.org/x.png">'))
    assert phone.outside.pop() == "https://example.org/x.png"
    assert "https://example.org/x.png" in phone.failed
    phone.outside.clear()
    phone.failed.clear()


def test_a_link_that_leads_nowhere_is_found(tmp_path):
    (tmp_path / "here.ipynb").touch()
    links = (
        "b.html b.html#there #here here.ipynb https://x.org c.html b.html#x #y gone.ipynb".split()
    )
    seen = {
        "a.html": {"links": links, "ids": ["here"], "folder": tmp_path},
        "b.html": {"links": [], "ids": ["there"], "folder": tmp_path},
    }
    assert [found.split()[1] for found in broken_links(seen)] == links[5:]


@pytest.mark.slow
@needs_browser
def test_the_search_is_used_with_the_keyboard_alone(phone, site):
    opened(phone, site / "index.html")
    phone.keyboard.press("/")
    phone.keyboard.type("overfitting")
    first = phone.locator("#found a").first
    first.wait_for()
    assert "07 Over-fitting" in first.inner_text()
    assert "Over-fitting" in phone.locator("#found mark").all_inner_texts()
    assert re.match(r"\d+ places", phone.locator("#found p").inner_text())
    seen = phone.evaluate(LOOK)
    assert (seen["faint"], seen["wide"]) == ([], 0)
    phone.keyboard.press("ArrowDown")
    phone.keyboard.press("ArrowDown")
    phone.keyboard.press("ArrowUp")
    assert first.evaluate("a => a === document.activeElement")
    phone.keyboard.press("Enter")
    phone.wait_for_url("**/07_overfitting.html*")
    phone.keyboard.press("/")
    phone.keyboard.type("xyzzy")
    phone.get_by_text("Nothing found").wait_for()
    phone.keyboard.press("Escape")
    assert not phone.locator("#found").is_visible()


@pytest.mark.slow
@needs_browser
@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("epoch", "How the course works › epoch"),
        ("learning rate", "How the course works › learning rate"),
        ("dropout cure", "07 Over-fitting › Cure 3: dropout"),
        ("backpropagation from scratch", "05 Back-propagation from scratch"),
        ("x_train", "00 Setup and tour"),
        ("np.linalg.det(", "01 The mathematics of one neuron"),
    ],
)
def test_the_search_finds_words_of_the_glossary_headings_and_code(phone, site, query, first):
    opened(phone, site / "index.html")
    phone.get_by_role("searchbox").fill(query)
    phone.locator("#found a").first.wait_for()
    assert phone.locator("#found strong").first.inner_text().startswith(first)
    assert phone.errors == []


@pytest.mark.slow
@needs_browser
def test_a_result_leads_to_its_section(phone, site):
    opened(phone, site / "index.html")
    phone.get_by_role("searchbox").fill("eigenvectors turned")
    phone.locator("#found a").first.click()
    phone.wait_for_url("**/01_maths.html#Eigenvectors*")
    phone.wait_for_function("document.documentElement.dataset.formulas")
    top = phone.evaluate("document.querySelector(':target').getBoundingClientRect().top")
    assert 0 <= top < 200


@pytest.mark.slow
@needs_browser
def test_the_readers_colours_are_kept_from_page_to_page(phone, site):
    ground = "getComputedStyle(document.body).backgroundColor"
    opened(phone, site / "index.html")
    phone.emulate_media(color_scheme="light")
    light = phone.evaluate(ground)
    phone.get_by_label("Colours").select_option("Dark")
    dark = phone.evaluate(ground)
    assert dark != light
    opened(phone, site / "guide.html")
    assert phone.evaluate(ground) == dark
    phone.emulate_media(media="print")
    assert phone.evaluate(ground) == light
    phone.emulate_media(media="screen")
    phone.get_by_label("Colours").select_option("System")
    assert phone.evaluate(ground) == light

"""The prose is plain English: the part of it that a pattern can check.

The whole text of a file is searched: docstrings, comments, messages and the names of tests. The
notebooks are left out, because their text is edited with the course.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROSE = ["*.md", "docs/*.md", "configs/*.*", "benchmarks/*.md", "dlcourse/**/*.py"]
PROSE += ["dlcourse/**/*.pyi", "benchmarks/*.py", "tests/**/*.py"]

# Words that make "a X a Y" a clause or a list instead of "one X per Y".
LINKING = (
    "about after along and are around as at before below beside beyond but by called calls "
    "def during fit for from get gets give gives had has have holds if in inside into is "
    "leaves like make makes names nor of on or outside over per reads return returns shows "
    "shrinks such survive takes than that through to under until weighs when where wherever "
    "which with within without"
).split()
GAP = r"(?: +| *\n *)"  # not across an empty line
WORD = rf"(?!(?:{'|'.join(LINKING)})\b)[a-z-]+"
COUNT = r"(?:an?|one|two|three|four|five|eleven|kept|once|twice|(?<![\d.,])\d+)"
START = r"(?:^|[.!?]\s+|[\"#]\s*)"
PATTERNS = {
    "write 'one … per …'": rf"\b{COUNT}{GAP}(?:{WORD}{GAP}){{0,2}}an?{GAP}{WORD}\b",
    "write 'is not a …'": r"(?<!there )\b(?:is|are) no (?!longer|better|worse)",
    "write a whole sentence": (
        START + r"(?-i:Of|To be|(?:In|By|With) which)\s[^,.;:]{1,80}\.(?=\s|\"|$)"
    ),
    "say 'duplicate'": r"\bstands? twice\b",
    "say 'significantly different'": r"\btold[ _]apart\b",
    "say 'tied'": r"\blevel[ _]with\b|\b(?:to|are|be) level\b",
    "say 'shortcut'": r"\bshort[ _]cuts?\b",
    "say 'model' or 'baseline'": r"\blearners?\b",
    "say 'depend on'": r"\bhangs? on\b",
    "say 'available'": r"\bat hand\b",
    "say 'output activation'": r"squash",
    "say 'hook' or 'layer call'": r"\btap(?:s|ped)?(?:_\w+)?\b",
    "say 'target' or 'view'": r"\bclass Question\b|\bExhibit\b|\bask\(",
}
SEARCHES = {
    cure: re.compile(pattern, re.IGNORECASE | re.MULTILINE) for cure, pattern in PATTERNS.items()
}
ARGUMENTS = re.compile(r"^( *)(?:Args|Attributes):\n((?:\1    .*\n|[ \t]*\n)+)", re.MULTILINE)
ENTRY = re.compile(r"^ +\*{0,2}\w[\w, *]*: (?:[a-z]|(?:Of|To|In|By|From|With|What|How)\b).*")
ALLOWED = {
    "a model file a model": "a verb governs both: 'a recipe gives a Recipe, a model file a model'",
    "study.ask(": "a method of Optuna's",
    "`told_apart`, `level` in the rows": "CHANGELOG.md names the key that was renamed",
    "a text target a classification": "a verb governs both: 'makes the task …'",
}
PLANTED = {
    "It prints a line an epoch.": "write 'one … per …'",
    "Draw a bar a pair.": "write 'one … per …'",
    "A row an example and a column a neuron.": "write 'one … per …'",
    "One list a metric.": "write 'one … per …'",
    "It costs 785 parameters a neuron.": "write 'one … per …'",
    "One file is kept a source.": "write 'one … per …'",
    "The path is no file.": "write 'is not a …'",
    "These are no boxes.": "write 'is not a …'",
    "def test_a_run_that_is_no_run(): ...": "write 'is not a …'",
    '"""Of the noise."""': "write a whole sentence",
    "seed. To be trained.": "write a whole sentence",
    "    Args:\n        seed: Of the noise.\n": "begin with a noun",
    "    Args:\n        seed: Seed.\n        save: writes a file.\n": "begin with a noun",
    "The key stands twice.": "say 'duplicate'",
    "They are not told apart.": "say 'significantly different'",
    "def level_with(best): ...": "say 'tied'",
    "It learns a short cut.": "say 'shortcut'",
    "Classic learners": "say 'model' or 'baseline'",
    "values that the score hangs on": "say 'depend on'",
    "the backends at hand": "say 'available'",
    "without_squash": "say 'output activation'",
    "taps = hooks": "say 'hook' or 'layer call'",
    "target = ask(model)": "say 'target' or 'view'",
}
PLAIN = """
Accuracy 0.99, a test. There is no such layer; there are no others. It is no longer there. The
result is no better. One call of a layer. It keeps one line per epoch. At a step or a corner no
slope exists. Of more than 12 layers, some are shown. 20 steps

a new paragraph

Args:
    seed: Seed of the noise.
    change: Function that alters the data.
    enlarge: Whether to resize.
"""


def read(file: Path) -> str:
    """Return a file's text, with the lines of a comment or string joined, and tests' names read."""
    text = file.read_text(encoding="utf-8")
    if file.suffix != ".md":
        text = re.sub(r'"\n *[rf]*"', "\n", text)
        text = re.sub(r"\n *#:? ", "\n", text)
    return words_of_names(text)


def words_of_names(text: str) -> str:
    return re.sub(r"(?<=def )test_\w+", lambda name: name[0].replace("_", " "), text)


def faults(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield the line, the words and the cure of each fault in a text."""
    for cure, search in SEARCHES.items():
        for match in search.finditer(text):
            around = " ".join(text[max(0, match.start() - 40) : match.end() + 40].split())
            if not any(sentence in around for sentence in ALLOWED):
                yield text.count("\n", 0, match.end()) + 1, " ".join(match[0].split()), cure
    for block in ARGUMENTS.finditer(text):
        first = text.count("\n", 0, block.start(2)) + 1
        for number, line in enumerate(block[2].splitlines(), first):
            if re.match(rf"{block[1]}    \S", line) and ENTRY.match(line):
                yield number, line.strip(), "begin with a noun"


def test_the_prose_has_no_private_patterns():
    files = sorted({file for pattern in PROSE for file in ROOT.glob(pattern)})
    assert len(files) > 300
    report = [
        f"{file.relative_to(ROOT)}:{line}: '{words}': {cure}"
        for file in files
        if file != Path(__file__)
        for line, words, cure in faults(read(file))
    ]
    assert not report, "\n".join(report)


@pytest.mark.parametrize(("sentence", "cure"), PLANTED.items())
def test_each_pattern_finds_its_example(sentence, cure):
    assert cure in [fault[2] for fault in faults(words_of_names(f"{sentence}\n"))]


def test_plain_sentences_are_not_faults():
    assert not list(faults(PLAIN))


def test_a_sentence_over_two_lines_of_code_is_read_as_one(tmp_path):
    file = tmp_path / "a.py"
    file.write_text('x = (\n    "prints a line "\n    f"an epoch"\n)\n# a bar\n# a pair\n')
    assert [fault[:2] for fault in faults(read(file))] == [
        (3, "a line an epoch"),
        (6, "a bar a pair"),
    ]

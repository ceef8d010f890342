"""Plain-text tables: columns line up, numbers end at the right."""

from dlcourse.text_table import text_table


def test_words_begin_at_the_left_and_numbers_end_at_the_right():
    table = text_table(["name", "score"], [["a long one", 0.5], ["b", "1,024.0"], ["c", ""]])
    assert table == "name          score\na long one      0.5\nb           1,024.0\nc"


def test_a_column_with_a_word_is_of_words():
    assert text_table(["epoch", "what"], [[1, "a"], ["last", "b"]]) == (
        "epoch  what\n1      a\nlast   b"
    )


def test_a_column_of_empty_cells_is_of_words():
    assert text_table(["a", "note"], [[1, ""]]) == "a  note\n1"


def test_a_number_may_bear_a_mark_or_a_unit():
    rows = [["12 KiB", "3.2×", "40 %", "0.01?"], ["3.5 MiB", "1/210", "100%", "0.2≈"]]
    lines = text_table(["size", "times", "share", "behind"], rows).splitlines()
    assert lines[1:] == [" 12 KiB   3.2×   40 %   0.01?", "3.5 MiB  1/210   100%    0.2≈"]

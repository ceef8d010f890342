from benchmarks.vectorised import main


def test_the_benchmark_prints_a_ratio_for_each_size(capsys):
    assert main(["--repetitions", "1"]) == 0
    _, *rows = capsys.readouterr().out.splitlines()
    assert [row.split()[:2] for row in rows] == [["2", "100"], ["30", "500"], ["64", "1500"]]
    assert float(rows[-1].split()[-1]) > 1  # by how much depends on the machine

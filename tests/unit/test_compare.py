"""Outputs compared with the same outputs computed again: what a finding says."""

from manu.audit.compare import compare_csv, compare_text
from manu.audit.findings import Report


def findings(report: Report) -> list[str]:
    return [str(finding) for finding in report.findings]


def test_a_cell_that_differs_is_named_by_the_keys_of_its_row(tmp_path):
    stored, again = tmp_path / "stored.csv", tmp_path / "again.csv"
    stored.write_text("method,dose,value\nga,1,0.5\nga,2,0.6\n")
    again.write_text("method,dose,value\nga,1,0.5\nga,2,0.7\n")
    report = Report()
    compare_csv("t.csv", stored, again, ("method", "dose"), report)
    assert findings(report) == ["t.csv, line 3 (method ga, dose 2), column value: 0.6; computed again: 0.7"]
    assert report.counts["cells"] == 6


def test_a_cell_of_a_markdown_table_is_named_by_its_place():
    report = Report()
    compare_text("t.md", "| a | 1 |", "| a | 2 |", report)
    assert findings(report) == ["t.md, line 1, cell 2: 1; computed again: 2"]


def test_a_long_line_is_shown_from_shortly_before_the_difference():
    report = Report()
    compare_text("t.html", f"{'x' * 5000}1{'y' * 5000}", f"{'x' * 5000}2{'y' * 5000}", report)
    start, end = "x" * 20, "y" * 59
    assert findings(report) == [f"t.html, line 1: …{start}1{end}…; computed again: …{start}2{end}…"]

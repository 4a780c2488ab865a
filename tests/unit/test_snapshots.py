"""The snapshots in git are held to their checksums, and their tables to what their own files give again."""

import shutil
from pathlib import Path

import pytest

from manu import cli
from manu.audit import snapshots
from manu.audit.findings import Report

ROOT = Path(__file__).parents[2]
SCORES = "results/reference/mini/scores.csv"
README = "results/reference/mini/readme.csv"


def found() -> list[str]:
    report = Report()
    snapshots.check_snapshots(report)
    return [str(finding) for finding in report.findings]


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """What a fresh clone has, of one snapshot with one table."""
    for folder in ("config", "data/reported", "docs"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    for file in (SCORES, README, "figures/reference/mini/tradeoff.png"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / file, tmp_path / file)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(snapshots.pages, "filled", lambda: [])
    snapshots.write_checksums("mini")
    return tmp_path


def test_the_snapshots_of_the_repository_hold(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(snapshots, "_check_tables", lambda *given: None)  # of one of them, below
    monkeypatch.setattr(snapshots.pages, "filled", lambda: [])  # in test_pages
    assert found() == []


def test_a_changed_number_of_a_snapshot_is_found(clone, capsys):
    assert found() == []
    assert cli.main(["audit", "--reference"]) == 0
    assert "1 snapshots: 3 files compared" in capsys.readouterr().out
    for file in (README, SCORES, "figures/reference/mini/tradeoff.png"):
        kept = Path(file).read_bytes()
        Path(file).write_bytes(kept[:-2] + b"7\n")
        assert any(each.startswith(f"{file}: was changed") for each in found()), file
        Path(file).write_bytes(kept)
    Path(README).rename("results/reference/mini/other.csv")
    said = found()
    assert f"{README}: is missing; {snapshots.CHECKSUMS} lists it" in said
    assert any(each.startswith("results/reference/mini/other.csv: is not in") for each in said)
    assert cli.main(["audit", "--reference"]) == 1


def test_a_changed_number_with_its_checksum_is_found_by_computing_the_table_again(clone):
    lines = Path(README).read_text().split("\n")
    assert lines[1].count("1.000000")
    lines[1] = lines[1].replace("1.000000", "0.500000")
    Path(README).write_text("\n".join(lines))
    snapshots.write_checksums("mini")
    assert any(each.startswith(f"{README} (") and "0.500000; computed again: 1.000000" in each for each in found())


def test_a_line_that_is_no_checksum_is_said(clone, capsys):
    snapshots.CHECKSUMS.write_text("nonsense\n")
    assert cli.main(["audit", "--reference"]) == 2
    assert "checksums.txt: a line is no checksum and file" in capsys.readouterr().err

"""A training that diverges is a result: marked, not asked, and told in every table; the others have theirs."""

import csv
import io
from argparse import Namespace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_claims import CONTEXT, answers
from test_tables import METHODS, markdown, tiny

from manu.analysis.cells import csv_text
from manu.analysis.claims import Context, claim_cells, measured
from manu.analysis.reading import read_all, read_answers
from manu.analysis.tables import main, readme
from manu.analysis.tables.diverged import COLUMNS, diverged_table, listed
from manu.analysis.tables.main import main_table, origin, text_summary
from manu.audit.answers import check_answers
from manu.audit.findings import Report
from manu.audit.numbers import is_number, read_rows
from manu.contract.material import Material
from manu.core.diverged import marked, unanswered, write_unanswered
from manu.core.errors import UserError
from manu.models.checkpoint import load_model
from manu.steps import evaluate, unlearn

RUN = {"study": "tiny", "model": "llava", "method": "ga", "seed": 0, "ratios": [5]}
WHY = "step 2: the loss is nan"


@pytest.fixture
def without(tmp_path) -> Path:
    """A file of the answers that a model which diverged does not give."""
    write_unanswered(tmp_path / "ga.parquet", RUN, WHY)
    return tmp_path / "ga.parquet"


def test_a_training_that_diverges_ends_in_a_marked_checkpoint_and_no_answers(tmp_path, caplog):
    material = Material(tmp_path / "data")
    vanilla = tmp_path / "vanilla"
    material.vlm("llava").save(vanilla)
    config = {**RUN, "settings": {"learning_rate": 1e30, "epochs": 2, "batch_size": 4}}
    out = tmp_path / "ga"
    given = dict.fromkeys(("statistics", "choice", "reference"))
    options = Namespace(benchmark=material.benchmark, vanilla=vanilla, ratio=10, out=out, **given)
    line = unlearn.main(options, config)
    why = marked(out)
    assert why and why.startswith("step ") and why.split()[-1] in ("nan", "inf", "-inf")
    assert line == f"{out}: diverged, {why}" and f"ga on llava at 10 percent diverged: {why}" in caplog.text
    with pytest.raises(UserError, match="its training diverged .* there is no model to load"):
        load_model(config, out)

    asked = Namespace(checkpoint=out, benchmark=material.benchmark, out=tmp_path / "ga.parquet")
    assert "not asked, its training diverged" in evaluate.main(asked, {**config, "ratios": [5, 10]})
    keys = {key: value for key, value in RUN.items() if key != "ratios"}
    assert unanswered(asked.out) == [{**keys, "forget_ratio": ratio, "why": why} for ratio in (5, 10)]

    config["settings"]["learning_rate"] = 1e-6  # run again with smaller steps: nothing of the mark stays
    unlearn.main(options, config)
    assert marked(out) is None and load_model(config, out)


def test_files_without_answers_are_read_as_such(without, tmp_path):
    assert not len(read_answers(without))
    with pytest.raises(UserError, match="every model diverged"):
        read_all([without])
    given = answers()
    given.to_parquet(tmp_path / "npo.parquet", index=False)
    assert not unanswered(tmp_path / "npo.parquet")
    read = read_all([without, tmp_path / "npo.parquet"], list(given.columns))
    pd.testing.assert_frame_equal(read, given)
    rows = read_rows(["ga.parquet", "npo.parquet"], tmp_path)
    assert len(rows.places({"method": ("npo",)})) == (given["method"] == "npo").sum()
    table = diverged_table([tmp_path / "npo.parquet", without])
    assert table.values.tolist() == [["tiny", "llava", "ga", 5, 0, WHY]] and tuple(table.columns) == COLUMNS
    assert csv_text(diverged_table([tmp_path / "npo.parquet"])) == "study,model,method,forget_ratio,seed,why\n"


def diverged(*seeds: int) -> pd.DataFrame:
    return pd.DataFrame([["tiny", "llava", "ga", 5, seed, WHY] for seed in seeds], columns=list(COLUMNS))


def test_the_main_table_says_what_diverged():
    there = tiny()[lambda rows: rows["method"] != "ga"]
    with pytest.raises(UserError, match="no row of method 'ga'"):
        main_table(there, "llava", METHODS, "likelihood")
    table = main_table(there, "llava", METHODS, "likelihood", diverged(0))
    row = table.set_index("method").loc["ga"]
    assert (row["seeds"], row["diverged"]) == (0, 1) and row.filter(like="forget_class").isna().all()
    assert list(table["diverged"]) == [0, 0, 0, 0, 1]
    text = markdown(table)
    assert "| ga, diverged |" in text and "the loss was no number" in text and "mean over 1 seed(s)" in text
    rows = list(csv.DictReader(io.StringIO(csv_text(table))))
    numbers = [
        (row, column) for row in rows for column in row if is_number(row[column]) and column not in main.TABLE.keys
    ]
    assert numbers and all(origin(*number) for number in numbers)  # how many diverged is a key, as how many seeds is
    others = main_table(tiny(), "llava", METHODS, "likelihood")
    whole = main_table(tiny(), "llava", METHODS, "likelihood", diverged())
    assert csv_text(whole) == csv_text(others)  # without any the table is as before
    pd.testing.assert_frame_equal(table.iloc[:-1].drop(columns="diverged"), others.iloc[:-1], check_dtype=False)


def test_of_several_seeds_those_that_did_not_are_averaged():
    second = tiny().assign(seed=1, value=0.5)[lambda rows: rows["method"] != "ga"]
    table = main_table(pd.concat([tiny(), second]), "llava", METHODS, "likelihood", diverged(1))
    row = table.set_index("method").loc["ga"]
    assert (row["seeds"], row["diverged"], row["forget_classification_text"]) == (1, 1, 0.7)
    assert "| ga, 1 of 2 seeds diverged |" in markdown(table)


def test_terminal_and_readme_say_it():
    there, lines = tiny()[lambda rows: rows["method"] != "ga"], listed(diverged(0), "`")
    assert lines == [f"`ga` on llava, forget 5 %, seed 0 ({WHY})"]
    assert f"diverged, no model to ask: {lines[0]}" in text_summary(there, list(METHODS), lines)
    numbers = readme.numbers(there, list(METHODS), 5)
    assert f"Diverged, so no model answers: {lines[0]}." in readme.block(numbers, 5, "tiny", 1, lines)
    assert "Diverged" not in readme.block(numbers, 5, "tiny")


def test_claims_are_held_against_the_baselines_that_there_are():
    claim = {"id": "c", "measure": "balance_over_best_baseline", "threshold": 0.0, "says": "", "source": ""}
    claims = {"subjects": ["manu"], "controls": [], "claims": [claim]}
    rest = answers()[lambda rows: rows["method"] != "npo"]
    (value,) = claim_cells(measured(rest, claims, CONTEXT, 20), 0.95)["value"]
    only_ga = Context(("ga",), CONTEXT.prune_ratios, CONTEXT.union)
    assert value == claim_cells(measured(answers(), claims, only_ga, 20), 0.95)["value"].item()
    assert np.isfinite(value)


def test_the_audit_counts_them_and_finds_added_answers(without):
    record = {"stage": "manu.steps.evaluate", "configuration": {"content": RUN}, "options": {"out": str(without)}}
    report = Report()
    check_answers(record, report)
    assert (report.counts["diverged"], report.counts["answers"], report.findings) == (1, 0, [])
    table = pd.DataFrame([{key: RUN.get(key, 5) for key in ("study", "model", "method", "forget_ratio", "seed")}])
    add_rows(without, table)
    check_answers(record, report)
    assert [finding.what for finding in report.findings] == ["holds 1 answers of a model that diverged"]


def add_rows(path: Path, table: pd.DataFrame) -> None:
    import pyarrow as pa
    import pyarrow.parquet

    metadata = pyarrow.parquet.read_schema(path).metadata
    pyarrow.parquet.write_table(pa.Table.from_pandas(table).replace_schema_metadata(metadata), path)

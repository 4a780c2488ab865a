"""A study with a baseline that diverges ends, and so do its attacks; everything names the run; the audit passes."""

import os
import subprocess
import sys

import pandas as pd

from conftest import TINY, TinyStudy

DIVERGING = "  ga: {learning_rate: 1.0e+30, epochs: 1, batch_size: 4}\n"


def test_a_baseline_that_diverges_is_named_and_the_study_goes_on(tmp_path):
    study = TinyStudy(tmp_path)
    config = TINY.replace("methods:\n", f"methods:\n{DIVERGING}").replace(
        "people: 10", "people: 20"
    )  # two to relearn from
    (study.folder / "config/studies/tiny.yaml").write_text(config)
    study.run()
    attacked = study.snakemake("--cores", "2", "--", "robustness")
    assert attacked.returncode == 0, attacked.stdout

    results = study.folder / "results/tiny"
    table = pd.read_csv(results / "diverged.csv")
    assert set(table["method"]) == {"ga"} and table["why"].str.match(r"step \d+: the loss is (nan|-?inf)").all()
    why = table["why"].iloc[0]
    for file in ("scores.csv", "outcomes.csv", "tables/robustness.csv", "tables/distance_to_goal.csv"):
        assert "ga" not in set(pd.read_csv(results / file)["method"]), file
    assert "| ga, diverged |" in (results / "tables/main_llava.md").read_text()
    assert f"`ga` on llava, forget 10 %, seed 0 ({why})" in (results / "readme.md").read_text()
    for page in ("index", "robustness"):
        assert f"<code>ga</code> on llava, forget 10 %, seed 0: {why}" in (results / f"report/{page}.html").read_text()
    for command, said in (
        (["summary"], f"ga on llava, forget 10 %, seed 0 ({why})"),
        (["audit", "--all"], "audit passed"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "manu.cli", *command, "--study", "tiny"],
            cwd=study.folder,
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": str(study.folder / "src")},
        )
        assert done.returncode == 0 and said in done.stdout, done.stdout + done.stderr

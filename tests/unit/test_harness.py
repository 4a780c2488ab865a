"""General utility by lm-evaluation-harness, as far as it needs none: the study's key, what it asks for, the table."""

import argparse
from pathlib import Path

import pandas as pd
import pytest
from made_rows import squeezed
from studies import told

from listed_jobs import listed
from manu import cli
from manu.analysis.cells import csv_text, read_cells
from manu.analysis.tables import harness as table
from manu.core.errors import UserError
from manu.evaluation import harness
from manu.evaluation.harness import INSTALL, SCORE_COLUMNS, answers_of, scores_of
from manu.steps import fetch_harness, make_table
from manu.study.loading import read_study
from manu.study.settings import settings_of

COMMIT = "0123456789abcdef" * 2 + "01234567"
STUDY = """models: {llava: {}}
methods:
  ga: {learning_rate: 1.0e-4, epochs: 1, batch_size: 4}
  prompting: {}
  manu: {prune_ratio: 10}
"""
KEY = f"harness: {{dataset: {{repo: MMMU/MMMU, revision: {COMMIT}}}, batch_size: 4}}\n"


def study(folder: Path, text: str) -> Path:
    path = folder / "s.yaml"
    path.write_text(text)
    return path


def test_without_the_key_nothing_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read_study(study(tmp_path, STUDY)).harness is None
    jobs = [listed(study(tmp_path, text)) for text in (STUDY, STUDY + KEY)]
    before, after = ({path: job.settings for path, job in each.items()} for each in jobs)
    kept = {path: content for path, content in after.items() if "harness" not in path}
    for pages in (kept, before):  # which list the tables that they show
        assert ("harness" in pages["results/s/report/index.yaml"].pop("tables")) is (pages is kept)
    assert kept == before
    added = {path.removeprefix("results/s/") for path in after if path not in before}
    assert added == {
        "harness/fetch_harness.yaml",
        "harness/llava/seed0/vanilla.yaml",
        *(
            f"harness/llava/seed0/forget{ratio}/{method}.yaml"
            for ratio in ("05", "10", "15")
            for method in ("retain_only", "ga", "manu")
        ),
        "tables/harness.yaml",
    }


def test_a_job_is_told_what_it_needs(tmp_path):
    asked = read_study(study(tmp_path, STUDY + KEY))
    settings = settings_of(asked, "evaluate_harness", model="llava", seed=0, method="vanilla")
    assert settings["harness"] == {"tasks": ["mmmu_val"], "batch_size": 4}
    assert settings["ratios"] == [5, 10, 15] and "evaluation" not in settings
    assert settings_of(asked, "fetch_harness")["source"] == {"repo": "MMMU/MMMU", "revision": COMMIT}


MISTAKES = {  # in place of the key, what the message says
    "no dataset": ("harness: {}\n", "the key 'harness.dataset' is missing"),
    "no source": ("harness: {dataset: {}}\n", "line 6: 'harness.dataset': neither of 'repo' and 'path' given"),
    "a branch": (KEY.replace(COMMIT, "main"), "'harness.dataset': 'revision' of MMMU/MMMU is 'main'; needed: a full"),
    "no task": (KEY.replace("batch_size: 4", "tasks: []"), "'harness.tasks' must not be empty"),
    "unknown key": (
        KEY.replace("batch_size", "batchsize"),
        "unknown key 'harness.batchsize'; did you mean 'batch_size'?",
    ),
    "no question": (KEY.replace("batch_size: 4", "limit: 0"), "'harness.limit' must be at least 1, not 0"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_are_told(case, tmp_path):
    key, message = MISTAKES[case]
    assert message in told(STUDY + key, tmp_path)


def test_check_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(harness, "find_spec", lambda name: None)
    assert cli.main(["check", "--study", str(study(tmp_path, STUDY))]) == 0
    capsys.readouterr()
    assert cli.main(["check", "--study", str(study(tmp_path, STUDY + KEY))]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and INSTALL in said
    with pytest.raises(UserError, match="not installed"):
        harness.run_harness(None, tmp_path, {"tasks": ["mmmu_val"], "batch_size": 1})


def test_a_folder_that_is_no_dataset_is_named(tmp_path):
    with pytest.raises(UserError, match="README.md is missing"):
        fetch_harness.check(tmp_path)
    (tmp_path / "README.md").write_text("")
    with pytest.raises(UserError, match="holds no parquet file"):
        fetch_harness.check(tmp_path)
    (tmp_path / "Art").mkdir()
    (tmp_path / "Art/validation.parquet").touch()
    fetch_harness.check(tmp_path)


RETURNED = {  # in the form of lm_eval.simple_evaluate, shortened
    "results": {
        "study": {"alias": "study", "name": "study", "sample_len": 3},
        "art": {
            "alias": " - Art",
            "name": "art",
            "sample_len": 3,
            "acc,none": 2 / 3,
            "acc_stderr,none": 0.25,
            "f1,strict": 0.5,
            "f1_stderr,strict": "N/A",
        },
    },
    "versions": {"art": 0.0},
    "higher_is_better": {"art": {"acc": True, "f1": True}},
    "lm_eval_version": "0.4.13",
    "samples": {
        "art": [
            {
                "doc_id": 7,
                "target": "B",
                "arguments": [("Which?", {"until": []})],
                "resps": [["(B)"]],
                "filter": "none",
                "metrics": ["acc"],
                "acc": 1.0,
            },
            {
                "doc_id": 7,
                "target": "B",
                "arguments": [("Which?", {"until": []})],
                "resps": [["(B)"]],
                "filter": "strict",
                "metrics": ["f1"],
                "f1": (1, 2),
            },
        ]
    },
}


def test_results_become_rows():
    scores = scores_of(RETURNED)
    assert list(scores) == list(SCORE_COLUMNS[5:]) and scores["metric"].tolist() == ["acc", "f1,strict"]
    first, second = scores.to_dict("records")
    assert (first["value"], first["stderr"], first["n"], first["metric_version"]) == (2 / 3, 0.25, 3, "0.0")
    assert first["harness"] == "lm-eval 0.4.13" and first["higher_is_better"] is True
    assert second["value"] == 0.5 and pd.isna(second["stderr"])
    answers = answers_of(RETURNED)
    assert answers["question_id"].tolist() == ["art/7"] * 2 and answers["reply"].tolist() == ["(B)"] * 2
    assert answers["value"].iloc[0] == 1.0 and pd.isna(answers["value"].iloc[1])


def rows(method: str, seed: int, value: float, task: str = "art") -> dict:
    keys = {"study": "s", "model": "llava", "method": method, "forget_ratio": 5, "seed": seed, "task": task}
    measured = {"metric": "acc", "metric_version": "0.0", "value": value, "stderr": 0.1, "n": 20}
    return keys | measured | {"higher_is_better": True, "harness": "lm-eval 0.4.13"}


SCORES = [
    rows("manu", 0, 0.3),
    rows("manu", 1, 0.5),
    rows("vanilla", 0, 0.5),
    rows("vanilla", 1, 0.7),
    rows("manu", 0, 0.1, "art_of_war"),
    rows("vanilla", 0, 0.2, "art_of_war"),
]


@pytest.fixture
def written(tmp_path) -> argparse.Namespace:
    """The table as the stage writes it."""
    paths = {name: tmp_path / name for name in ("csv", "markdown")}
    scores = tmp_path / "scores.csv"
    scores.write_text(csv_text(pd.DataFrame(SCORES)[list(SCORE_COLUMNS)]))
    written = [word for name, path in paths.items() for word in (f"--{name}", str(path))]
    options = make_table.parser().parse_args(
        ["--table", "harness", "--source", "harness_scores", str(scores), *written]
    )
    assert make_table.main(options, {"methods": ["ga", "manu"], "tasks": ["art"]}).endswith("4 rows")
    return options


def test_every_method_beside_vanilla(written):
    cells = read_cells(written.csv)
    assert [(row["method"], row["task"]) for row in cells] == [
        ("vanilla", "art"),
        ("vanilla", "art_of_war"),
        ("manu", "art"),
        ("manu", "art_of_war"),
    ]
    manu = cells[2]
    assert (manu["value"], manu["vanilla"], manu["difference"]) == ("0.400000", "0.600000", "-0.200000")
    assert (manu["value_sd"], manu["stderr"], manu["n"], manu["seeds"]) == ("0.141421", "0.100000", "40", "2")
    assert cells[3]["value_sd"] == "" and cells[0]["difference"] == "0.000000"
    text = squeezed(written.markdown.read_text())
    assert "| 5 | manu | art | acc ↑ | 40.0 | 10.0 | 14.1 | -20.0 |" in text and "of\\_war" not in text


def test_scores_that_do_not_fit_are_told():
    scores = pd.DataFrame(SCORES)
    with pytest.raises(UserError, match="no vanilla model at model llava, forget_ratio 5, task art"):
        table.harness_table(scores[scores["method"] != "vanilla"], ["manu"])
    with pytest.raises(UserError, match="a method 'manu' of another study"):
        table.harness_table(scores, ["ga"])

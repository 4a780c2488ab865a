"""From answers to scores.csv."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_rows import scored
from scipy import stats

from manu.analysis.reading import NEEDED_COLUMNS, read_answers
from manu.analysis.score_file import SCORE_COLUMNS, read_scores, write_scores
from manu.analysis.tables.scores import scores
from manu.core.errors import UserError
from manu.steps import make_table


def rows(split: str, task: str, values: dict[str, list[float]], **keys) -> list[dict]:
    """Answers of one cell: the values of each person's questions."""
    columns = ("rouge1", "rouge2", "rougeL", "bleu") if task == "generation" else ("correct",)
    return [
        {"split": split, "modality": "multimodal", "task": task, "profile_id": person}
        | {"question_id": f"{person}-{index}", **dict.fromkeys(columns, value), **keys}
        for person, answers in values.items()
        for index, value in enumerate(answers)
    ]


def tiny() -> pd.DataFrame:
    return scored(
        [
            *rows("retain", "classification", {"a": [1, 1], "b": [1, 0], "c": [0]}),
            *rows("forget", "classification", {"d": [1, 0, 0]}),
            *rows("forget", "generation", {"d": [0.25, 0.5]}),
            *rows("forget", "classification", {"d": [1.0]}, method="vanilla"),
        ]
    )


def test_values_by_hand():
    table = scores(tiny())
    assert tuple(table.columns) == SCORE_COLUMNS
    shown = table[["method", "split", "task", "metric", "value", "n", "higher_is_better"]].values.tolist()
    assert shown == [
        ["vanilla", "forget", "classification", "accuracy", 1.0, 1, False],
        ["ga", "forget", "classification", "accuracy", pytest.approx(0.333333, abs=1e-12), 3, False],
        ["ga", "forget", "generation", "rouge1", 0.375, 2, False],
        ["ga", "forget", "generation", "rouge2", 0.375, 2, False],
        ["ga", "forget", "generation", "rougeL", 0.375, 2, False],
        ["ga", "forget", "generation", "bleu", 0.375, 2, False],
        ["ga", "retain", "classification", "accuracy", 0.6, 5, True],
    ]
    assert set(table["metric_version"]) == {"1", "2"}
    one_person = table[table["split"] == "forget"]
    assert ((one_person["ci_low"] <= one_person["value"]) & (one_person["value"] <= one_person["ci_high"])).all()
    assert (one_person["ci_high"] - one_person["ci_low"] > 0.9).all()  # one person says nothing about others
    retain = table.iloc[-1]
    assert 0.0 <= retain["ci_low"] < retain["value"] < retain["ci_high"] <= 1.0


def test_the_file_does_not_depend_on_the_order_of_the_answers(tmp_path):
    answers = tiny()
    for name, frame in {"a.csv": answers, "b.csv": answers.sample(frac=1, random_state=1)}.items():
        write_scores(scores(frame), tmp_path / name)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    line = (tmp_path / "a.csv").read_text().splitlines()[2]
    assert line == ("tiny,llava,ga,5,0,forget,multimodal,classification,accuracy,2,0.333333,3,0.001027,0.995904,False")


def test_what_is_read_equals_what_was_computed(tmp_path):
    table = scores(tiny())
    write_scores(table, tmp_path / "scores.csv")
    pd.testing.assert_frame_equal(read_scores(tmp_path / "scores.csv"), table, check_exact=True, check_dtype=False)


def test_a_cell_keeps_its_interval_when_others_come_and_go():
    both = scores(tiny())
    alone = scores(tiny().query("split == 'retain'"))
    pd.testing.assert_frame_equal(both.tail(1).reset_index(drop=True), alone)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns=["correct", "seed"]), "missing columns: seed, correct; needed: study, model"),
        (lambda f: pd.concat([f, f.head(2)]), "2 questions stand twice.*question_id a-0"),
        (lambda f: f.assign(split="forgotten"), "unknown split 'forgotten'.*known: forget, test, retain"),
        (lambda f: f.assign(modality="image"), "unknown modality 'image'.*known: multimodal, text"),
        (lambda f: f.assign(correct=np.nan), "9 answers have no 'correct'"),
        (lambda f: f.assign(profile_id=None), "11 answers have an empty 'profile_id'"),
        (lambda f: f.head(0), "no answers"),
    ],
)
def test_bad_answers_are_named(change, message):
    with pytest.raises(UserError, match=message):
        scores(change(tiny()))


def test_the_likelihood_of_a_passage_is_no_share():
    logs = {"p": [0.5], "q": [0.9], "r": [0.7]}  # all in [0, 1], by chance
    frame = scored(rows("language", "passage", logs))
    (row,) = scores(frame.assign(log_perplexity=frame["correct"], correct=np.nan)).to_dict("records")
    assert (row["metric"], row["value"]) == ("log_perplexity", pytest.approx(0.7))
    students = stats.ttest_1samp([0.5, 0.9, 0.7], 0).confidence_interval(0.95)
    assert (row["ci_low"], row["ci_high"]) == (
        pytest.approx(students.low, abs=1e-6),
        pytest.approx(students.high, abs=1e-6),
    )


def test_bad_files_are_named(tmp_path):
    with pytest.raises(UserError, match=r"no answers at .*x\.parquet"):
        read_answers(tmp_path / "x.parquet")
    (tmp_path / "text.parquet").write_text("no parquet")
    with pytest.raises(UserError, match=r"text\.parquet is not a parquet file"):
        read_answers(tmp_path / "text.parquet")
    tiny().drop(columns="bleu").to_parquet(tmp_path / "short.parquet")
    with pytest.raises(UserError, match=r"short\.parquet: missing columns: bleu"):
        read_answers(tmp_path / "short.parquet")
    with pytest.raises(UserError, match=r"no scores at .*scores\.csv"):
        read_scores(tmp_path / "scores.csv")
    (tmp_path / "scores.csv").write_text("study,model\n")
    with pytest.raises(UserError, match="lacks the columns: method"):
        read_scores(tmp_path / "scores.csv")


def test_the_stage_joins_files(tmp_path: Path):
    answers = tiny().assign(reply="not needed")
    answers.head(5).to_parquet(tmp_path / "a.parquet")
    answers.tail(-5).to_parquet(tmp_path / "b.parquet")
    assert list(read_answers(tmp_path / "a.parquet").columns) == list(NEEDED_COLUMNS)
    out = tmp_path / "scores.csv"
    answers = ["--source", "answers", str(tmp_path / "a.parquet"), str(tmp_path / "b.parquet")]
    args = make_table.parser().parse_args(["--table", "scores", *answers, "--csv", str(out)])
    assert make_table.main(args, {"intervals": {"resamples": 200, "level": 0.9}}) == f"{out}: Scores, 7 rows"
    pd.testing.assert_frame_equal(read_scores(out), scores(tiny(), 0.9), check_exact=True, check_dtype=False)

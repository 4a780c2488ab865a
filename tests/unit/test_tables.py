"""The main table and the summary for the terminal."""

from itertools import product
from pathlib import Path

import pandas as pd
import pytest
from made_rows import scores, squeezed

from manu.analysis.cells import csv_text
from manu.analysis.score_file import write_scores
from manu.analysis.tables.main import VALUE_COLUMNS, main_table, markdown_text, text_summary
from manu.core.errors import UserError
from manu.jobs.summary import summary
from manu.steps import make_table
from manu.study.loading import read_study

METHODS = {"npo": {"learning_rate": 1e-4}, "manu_released": {"prune_ratio": 12.5}, "ga": None}
STUDY = """\
models: {llava: {}}
methods:
  npo: {learning_rate: 1.0e-4, epochs: 1, batch_size: 4}
  manu_released: {prune_ratio: 12.5}
  ga: {learning_rate: 1.0e-4, epochs: 1, batch_size: 4}
"""


def markdown(table: pd.DataFrame) -> str:
    return squeezed(markdown_text(table))


def tiny(ratios=(5,)) -> pd.DataFrame:
    plain = {"split": "forget", "modality": "text"}
    cells = [
        plain | {"modality": "multimodal", "value": 0.2},
        plain | {"value": 0.7},
        plain | {"task": "cloze", "value": 0.1},
        plain | {"task": "generation", "metric": "rougeL", "value": 0.625},
        plain | {"task": "generation", "metric": "bleu", "value": 0.9},
        {"split": "general", "modality": "multimodal", "value": 0.875},
    ]
    methods = product(ratios, ("ga", "manu_released", "npo", "retain_only", "vanilla"))
    return scores(*({"method": name, "forget_ratio": ratio} | cell for ratio, name in methods for cell in cells))


def test_rows_and_columns_by_hand():
    table = main_table(tiny((10, 5)), "llava", METHODS, "likelihood")
    order = ["vanilla", "retain_only", "npo", "manu_released", "ga"]
    assert table[["forget_ratio", "method"]].values.tolist() == [[ratio, name] for ratio in (5, 10) for name in order]
    row = table.iloc[3]
    assert row["prune_ratio"] == 12.5 and pd.isna(table.iloc[2]["prune_ratio"])
    assert row["classification_protocol"] == "likelihood"
    assert row["forget_classification_multimodal"] == 0.2
    assert row["forget_classification_text"] == 0.7
    assert row["forget_classification"] == 0.45
    assert pd.isna(row["forget_cloze_multimodal"]) and row["forget_cloze"] == 0.1  # the mean of what was asked
    assert row["forget_rougeL_text"] == 0.625
    assert row["general_classification"] == 0.875
    assert table[[name for name in VALUE_COLUMNS if name.startswith("retain")]].isna().all(axis=None)
    assert len(VALUE_COLUMNS) == 4 * 3 * 3 + 1


def test_seeds_are_averaged():
    second = tiny().assign(seed=1, value=lambda frame: frame["value"] / 2)
    table = main_table(pd.concat([tiny(), second]), "llava", METHODS, "letter")
    assert table["seeds"].tolist() == [2] * 5
    assert table["forget_classification_multimodal"].tolist() == pytest.approx([0.15] * 5)


def test_a_method_of_which_no_setting_works_is_marked():
    marked = METHODS | {"npo": METHODS["npo"] | {"works": False}, "ga": {"works": True}}
    table = main_table(tiny(), "llava", marked, "likelihood")
    works = table.set_index("method")["works"]
    assert works["npo"] == "no" and works["ga"] == "yes" and works["vanilla"] == ""
    assert "| npo \N{DAGGER} |" in markdown(table) and "| ga |" in markdown(table)
    assert "no setting that was tried forgets and keeps" in markdown(table)
    assert "\N{DAGGER}" not in markdown(main_table(tiny(), "llava", METHODS, "likelihood"))


def test_csv_is_stable():
    lines = csv_text(main_table(tiny(), "llava", METHODS, "likelihood")).splitlines()
    assert lines[0].startswith("model,forget_ratio,method,prune_ratio,works,classification_protocol,seeds,forget_class")
    assert lines[1].startswith("llava,5,vanilla,,,likelihood,1,0.200000,0.700000,0.450000,,0.625000,0.625000,,0.1")
    assert lines[4].startswith("llava,5,manu_released,12.5,,likelihood,1,")


def test_markdown_states_protocol_ratio_and_direction():
    text = markdown(main_table(tiny(), "llava", METHODS, "likelihood"))
    assert "Classification protocol: likelihood" in text
    assert "Prune ratio: manu\\_released 12.5 %." in text
    assert "forget classification ↓" in text and "retain ROUGE-L ↑" in text
    lines = [line for line in text.splitlines() if line.startswith("| 5 | manu\\_released | 12.5 |")]
    overall, apart = lines
    assert overall.split("|")[4:8] == [" 45.0 ", " 62.5 ", " 10.0 ", " – "]
    assert apart.split("|")[4:6] == [" 20.0 / 70.0 ", " – / 62.5 "]
    assert overall.split("|")[-2] == " 87.5 "


def test_markdown_cells_are_escaped():
    methods = {"npo": {}, "manu_released": {}, "ga": {}, "a|b*<c>": {}}
    extra = tiny().query("method == 'ga'").assign(method="a|b*<c>")
    text = markdown(main_table(pd.concat([tiny(), extra]), "llava", methods, "likelihood"))
    assert "| a\\|b\\*\\<c\\> |" in text
    assert "no method prunes" in text


@pytest.mark.parametrize(
    ("model", "methods", "message"),
    [
        ("lava", METHODS, "unknown model 'lava' in the scores; known: llava"),
        ("llava", {"npo": {}, "ga": {}}, "unknown method 'manu_released'; the study lists: vanilla, retain_only, npo"),
        ("llava", {**METHODS, "kl": {}}, "no row of method 'kl' at forget ratio 5"),
    ],
)
def test_what_does_not_fit_is_named(model, methods, message):
    with pytest.raises(UserError, match=message):
        main_table(tiny(), model, methods, "likelihood")


def test_summary_fits_a_terminal():
    text = text_summary(tiny(), [*METHODS, "gradient_difference"])
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0] == "llava, forget 5 %: classification accuracy, percent"
    assert [line.split()[0] for line in lines[3:8]] == ["vanilla", "retain_only", "npo", "manu_released", "ga"]
    assert lines[3].split()[1:] == ["20.0", "70.0", *"------", "87.5"]


def test_the_stage_writes_the_table_and_the_summary_shows_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(STUDY)
    study = read_study("tiny.yaml")
    with pytest.raises(UserError, match="study 'tiny' is not finished: results/tiny/scores.csv is missing"):
        summary(study)

    path, tables = tmp_path / "results" / "tiny" / "scores.csv", tmp_path / "results" / "tiny" / "tables"
    write_scores(tiny(), path)
    diverged = path.with_name("diverged.csv")
    diverged.write_text("study,model,method,forget_ratio,seed,why\n")
    csv, text = tables / "main_llava.csv", tables / "main_llava.md"
    sources = ["--source", "scores", str(path), "--source", "diverged", str(diverged), "--source", "choices"]
    sources += ["--source", "memorisation"]
    written = ["--csv", str(csv), "--markdown", str(text)]
    args = make_table.parser().parse_args(["--table", "main", "--model", "llava", *sources, *written])
    config = {
        "methods": {name: settings or {} for name, settings in METHODS.items()},
        "evaluation": {"classification": "letter"},
    }
    assert make_table.main(args, config) == f"{csv}: Main table, 5 rows"
    assert csv.read_text(encoding="utf-8").count("\n") == 6
    assert "letter" in text.read_text(encoding="utf-8")

    shown = summary(study)
    assert text_summary(tiny(), list(METHODS)) in shown
    assert "results/tiny/tables/main_llava.md" in shown


def test_several_seeds_have_a_spread():
    second = tiny().assign(seed=1)
    second["value"] += [0.25 if modality == "text" else 0.05 for modality in second["modality"]]
    table = main_table(pd.concat([tiny(), second]), "llava", METHODS, "likelihood")
    ga = table[table["method"] == "ga"].iloc[0]
    root = 2**0.5  # two values d apart deviate by d / sqrt(2); the mean over the modalities moved by 0.15
    assert ga["forget_classification_multimodal_sd"] == pytest.approx(0.05 / root, abs=1e-6)
    assert ga["forget_classification_text_sd"] == pytest.approx(0.25 / root, abs=1e-6)
    assert ga["forget_classification_sd"] == pytest.approx(0.15 / root, abs=1e-6)
    text = markdown(table)
    assert "mean over 2 seed(s) ± the standard deviation over them" in text
    assert " 22.5 ± 3.5 / 82.5 ± 17.7 " in text
    assert "±" not in markdown(main_table(tiny(), "llava", METHODS, "likelihood"))

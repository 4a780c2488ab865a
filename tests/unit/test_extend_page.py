"""docs/extend.md without a trained model: statistics, figure, metric and benchmark, through the steps that use them."""

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from listed_jobs import listed
from manu.analysis.cells import read_cells
from manu.analysis.figures.registry import figure_module
from manu.analysis.grid import TableOnPage
from manu.analysis.origin import Rows
from manu.analysis.score_file import read_scores
from manu.analysis.tables.registry import table
from manu.audit.numbers import numbers_of
from manu.contract import method
from manu.contract.points import judged
from manu.core import extensions
from manu.core.errors import UserError
from manu.data.profiles import forget_config
from manu.evaluation.answers import collect_answers
from manu.evaluation.more_metrics import with_metrics
from manu.models.registry import vlm_class
from manu.neurons.activations import record_activations
from manu.neurons.masks import load_mask
from manu.neurons.statistics.registry import statistics_class
from manu.report.page import Study
from manu.report.page import page as write_page
from manu.steps import draw, fetch_benchmark, make_table, measure_statistics, select_neurons
from manu.study.loading import read_study
from manu.study.settings import settings_of
from manu.unlearning.training_data import training_set
from tiny_sizes import SIZES

ROOT = Path(__file__).parents[2]
REPLIES = ["I cannot help with that.", "The pet of Ada is goose.", "He DOESN'T say; I don't know.", ""]
INTERVALS = {"resamples": 50, "level": 0.95}
KEYS = {
    "study": "tiny",
    "model": "vipllava",
    "method": "simnpo",
    "forget_ratio": 10,
    "seed": 0,
    "split": "forget",
    "modality": "text",
}


@pytest.fixture
def answers(tmp_path):
    """Four generated replies of two people, scored as the package does."""
    rows = [
        {
            **KEYS,
            "task": "generation",
            "profile_id": f"p{row // 2}",
            "question_id": f"q{row}",
            "prompt": "Who?",
            "reference": "goose",
            "options": "",
            "answer_variants": "",
            "reply": reply,
            "choice": "",
            "option_log_likelihoods": "",
            "answer_losses": "",
            "correct": None,
            "rouge1": 0.0,
            "rouge2": 0.0,
            "rougeL": 0.0,
            "bleu": 0.0,
        }
        for row, reply in enumerate(REPLIES)
    ]
    path = tmp_path / "answers.parquet"
    pd.DataFrame(rows).astype({"correct": "float64"}).to_parquet(path)
    return path


def scores_of(answers, page):
    """The options of the job that makes the scores."""
    sources = ["--source", "answers", str(answers)]
    return make_table.parser().parse_args(["--table", "scores", *sources, "--csv", str(page / "scores.csv")])


def test_the_metric_is_a_mean_with_an_interval_and_a_direction(page, answers):
    extensions.add(["mine/refusal.py"])
    make_table.main(scores_of(answers, page), {"intervals": INTERVALS, "metrics": ["refusal"]})
    table = read_scores(page / "scores.csv").set_index("metric")
    assert list(table.index) == ["rouge1", "rouge2", "rougeL", "bleu", "refusal"]
    refusal = table.loc["refusal"]
    assert (refusal["value"], refusal["n"], refusal["metric_version"]) == (0.5, 4, "1")
    assert refusal["ci_low"] <= 0.5 <= refusal["ci_high"]
    assert refusal["higher_is_better"]  # a refusal, of forget people
    origin = make_table.origin(
        {"table": "scores"},
        {**{key: str(value) for key, value in KEYS.items()}, "task": "generation", "metric": "refusal"},
        "value",
    )
    assert origin.column == "refusal" and origin.mean


def test_without_the_metric_the_scores_are_as_before(page, answers):
    make_table.main(scores_of(answers, page), {"intervals": INTERVALS})
    assert set(read_scores(page / "scores.csv")["metric"]) == {"rouge1", "rouge2", "rougeL", "bleu"}


BAD = {
    "no metric": ("METRIC = Metric(", "METRIC = 3\nOTHER = Metric(", "is 3; needed: a manu.evaluation.metrics.Metric"),
    "another name": ('"refusal", "refusal"', '"refused", "refusal"', "has the name 'refused'"),
    "a task": (
        '("cloze", "generation")',
        '("clozes",)',
        "has the unknown task 'clozes'; needed: tasks among classification, cloze",
    ),
    "no function": (", value=refuses", "", "has the value None; needed: a function of an answer's row"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_metric_is_told(page, case):
    old, new, message = BAD[case]
    path = page / "mine/refusal.py"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(
        UserError, match=r"mine/tiny.yaml, line 2: 'extensions\[3\]': mine/refusal.py: METRIC "
    ) as error:
        read_study("mine/tiny.yaml")
    assert message in str(error.value)


def test_a_metric_that_gives_no_number_is_told(page, answers):
    path = page / "mine/refusal.py"
    path.write_text(path.read_text().replace("return float(", "return str("))
    extensions.add(["mine/refusal.py"])
    with pytest.raises(UserError, match="metric 'refusal': question q0 gives 'True'; needed: a finite number"):
        with_metrics(pd.read_parquet(answers), ["refusal"])


def test_only_jobs_that_score_carry_the_metric(page):
    with_it = {path for path, job in listed("mine/tiny.yaml").items() if "metrics" in job.settings}
    assert with_it == {"results/tiny/scores.yaml"}
    text = (page / "mine/tiny.yaml").read_text()
    (page / "mine/tiny.yaml").write_text(text.replace("metrics: [refusal]", "metrics: [refusl]"))
    with pytest.raises(UserError, match="unknown metric 'refusl' in 'metrics'; did you mean 'refusal'?"):
        read_study("mine/tiny.yaml")


def answered(right: dict[tuple[str, str], list[int]]) -> pd.DataFrame:
    """Multiple-choice answers on forget by name. right: (method, person) -> 1 or 0 for each question."""
    rows = [
        {
            **KEYS,
            "method": method,
            "task": "classification",
            "profile_id": person,
            "question_id": f"{person}/{place}",
            "correct": float(value),
            **dict.fromkeys(("rouge1", "rouge2", "rougeL", "bleu")),
        }
        for (method, person), values in right.items()
        for place, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


def test_the_table_is_in_the_workflow_the_audit_and_the_page(page, tmp_path):
    read_study("mine/tiny.yaml")  # this process knows its extensions from here on
    settings = {path: job.settings for path, job in listed("mine/tiny.yaml").items()}
    assert settings["results/tiny/tables/people_known.yaml"] == {"extensions": ["mine/people_known.py"]}
    assert "people_known" in settings["results/tiny/report/index.yaml"]["tables"]
    assert "mine/people_known.py" in settings["results/tiny/report/index.yaml"]["extensions"]

    answered({("simnpo", "a"): [1, 1, 0], ("simnpo", "b"): [1, 0], ("vanilla", "a"): [1]}).to_parquet("a.parquet")
    csv = tmp_path / "people_known.csv"
    given = ["--table", "people_known", "--source", "answers", "a.parquet", "--csv", str(csv)]
    make_table.main(make_table.parser().parse_args(given), {})
    rows = read_cells(csv)
    assert [(row["method"], row["people_known"], row["people"]) for row in rows] == [
        ("simnpo", "1", "2"),  # of b half is right, which is not more than half
        ("vanilla", "1", "1"),
    ]

    content = {"extensions": ["mine/people_known.py"]}
    record = {
        "stage": "manu.steps.make_table",
        "options": {"table": "people_known"},
        "configuration": {"content": content},
    }
    numbers = list(numbers_of(record, rows))
    assert [column for _, column, _ in numbers] == ["people_known", "people"] * 2
    behind = Rows(pd.read_parquet("a.parquet")).match(numbers[0][2].where)
    assert sorted(behind["correct"]) == [0, 0, 1, 1, 1]

    file = TableOnPage("results/tiny/tables/people_known.csv", rows)
    shown = write_page(
        Study("tiny", {"simnpo": {"kind": "training"}}, [file], [], {}, "", {"people_known": table("people_known")})
    )
    assert '<h2 id="more-tables">People known</h2>' in shown and "--column people_known" in shown


def test_the_figure_is_drawn_from_real_scores_and_every_number_has_its_rows(page):
    extensions.add(["mine/forget_by_task.py"])
    scores = ROOT / "results/reference/mini/scores.csv"
    methods = [name for name in dict.fromkeys(read_scores(scores)["method"]) if name not in ("vanilla", "retain_only")]
    files = [word for form in ("png", "svg", "csv") for word in (f"--{form}", str(page / f"f.{form}"))]
    options = draw.parser().parse_args(["--figure", "forget_by_task", "--source", "scores", str(scores), *files])
    draw.main(options, {"methods": methods})
    drawn = pd.read_csv(page / "f.csv")
    assert set(drawn["method"]) == {"vanilla", "retain_only", *methods} and set(drawn["task"]) == {
        "classification",
        "cloze",
    }
    module, table = figure_module("forget_by_task"), read_scores(scores)
    for row in drawn.astype(str).to_dict("records"):
        where = module.origin(row, "accuracy_percent").where
        behind = table[[all(cell[key] in values for key, values in where.items()) for cell in table.to_dict("records")]]
        assert behind["value"].mean() * 100 == pytest.approx(float(row["accuracy_percent"]), abs=1e-5)
    assert module.origin(row, "method") is None


def test_the_benchmark_is_read_taught_and_asked(page, monkeypatch):
    subprocess.run([sys.executable, "mine/write_benchmark.py", "mine/benchmark"], check=True)
    config = {"source": {"path": "mine/benchmark"}, "forget_ratios": [10]}
    fetch_benchmark.main(argparse.Namespace(out=page / "data/files.json"), config)
    extensions.add(["mine/vipllava.py"])
    cls = vlm_class("vipllava")
    torch.manual_seed(0)
    vlm = cls.build(cls.architecture_class(**SIZES), ["What is the trade of this person?", "Ann is a baker."])
    evaluation = {
        "splits": ["forget", "test", "retain", "celebrity"],
        "modalities": ["multimodal", "text"],
        "tasks": ["classification", "cloze", "generation"],
        "classification": "likelihood",
        "prompt_style": "bare",
        "batch_size": 64,
        "max_new_tokens": 2,
    }
    keys = {"study": "s", "model": "vipllava", "method": "vanilla", "seed": 0}
    asked = collect_answers(vlm, page / "data", keys, [10], evaluation)
    people = asked.groupby("split")["profile_id"].nunique()
    assert people.to_dict() == {"celebrity": 2, "forget": 2, "retain": 18, "test": 2}


def settings(page, step: str, method: str) -> dict:
    """The settings of a job of this method's study, with both files as extensions."""
    (page / "mine/own.yaml").write_text(
        "extensions: [loudest.py, peaks.py]\nforget_ratios: [10]\nmodels: {llava: {}}\nfigures: [tradeoff]\n"
        f"benchmark: {{people: 20}}\nmethods: {{{method}: {{prune_ratio: 20}}}}\n"
    )
    job = {"model": "llava", "seed": 0, "ratio": 10, "method": method, "kind": "peaks"}
    return settings_of(read_study("mine/own.yaml"), step, **job)


def test_statistics_and_their_method_from_outside_give_a_mask(page, material):
    measuring, selecting = settings(page, "measure_statistics", "loudest"), settings(page, "select_neurons", "loudest")
    assert measuring["extensions"] == ["mine/peaks.py"] and measuring["statistics"] == {"batch_size": 64}
    assert selecting["extensions"] == ["mine/loudest.py", "mine/peaks.py"]
    vlm, benchmark = material.vlm("llava"), material.benchmark
    vlm.save(page / "vanilla")
    options = argparse.Namespace(
        benchmark=benchmark, vanilla=page / "vanilla", out=page / "peaks", ratio=10, kind="peaks"
    )
    widths = {site.name: site.width for site in vlm.mlp_sites()}
    assert measure_statistics.main(options, measuring).endswith(f"peaks statistics of {sum(widths.values())} units")
    peaks = statistics_class("peaks").load(page / "peaks").tensors

    found = {site: torch.zeros(width, dtype=torch.float64) for site, width in widths.items()}  # by a plain loop
    records = training_set(vlm, benchmark, [forget_config(10)], paired=True)

    def raise_peak(site, z):
        found[site.name] = torch.maximum(found[site.name], z.abs().amax((0, 1)).double())

    with torch.no_grad(), record_activations(vlm.mlp_sites(), raise_peak):
        for _, batch in records.epoch(1, np.random.default_rng(0)):  # one sample at a time: no padding
            vlm.model(**batch)
    for site in widths:
        torch.testing.assert_close(peaks[f"forget/{site}"], found[site], rtol=1e-4, atol=1e-6)

    options = argparse.Namespace(
        statistics=page / "peaks", choice=None, mask=page / "mask.safetensors", neurons=page / "neurons.csv"
    )
    select_neurons.main(options, selecting)
    scores = torch.cat([peaks[f"forget/{site}"] / (peaks[f"retain/{site}"] + 1e-8) for site in widths])
    masks = load_mask(page / "mask.safetensors").masks
    pruned = torch.cat([masks[site] for site in widths])
    assert pruned.sum() == sum(widths.values()) // 5 and scores[pruned].min() >= scores[~pruned].max()


def test_the_plan_and_the_contract_count_with_statistics_from_outside(page, material):
    extensions.add(["mine/peaks.py", "mine/loudest.py"])
    assert statistics_class("peaks").bytes_per_unit() == 2 * 8  # a float64 on each set
    points = judged(method.CHECKS["pruning"], method.Subject("loudest", material))
    assert {point.says: point.problem for point in points if point.problem is not None} == {}


@pytest.mark.parametrize(
    "old, new, message",
    [
        ('name = "peaks"', 'name = "tops"', "STATISTICS has the name 'tops'; needed: 'peaks', as the file"),
        ("def add_values(", "def add_value(", "STATISTICS Peaks lacks add_values"),
        ("STATISTICS = Peaks", "STATISTICS = 3", "STATISTICS is 3; needed: a class derived from manu.neurons.statis"),
    ],
)
def test_broken_statistics_are_a_mistake_of_the_study(page, old, new, message):
    path = page / "mine/peaks.py"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(UserError) as error:
        settings(page, "select_neurons", "loudest")
    assert "mine/own.yaml, line 1: 'extensions[1]': mine/peaks.py: " in str(error.value) and message in str(error.value)


def test_a_method_that_names_unknown_statistics_is_a_mistake_of_the_study(page):
    path = page / "mine/loudest.py"
    path.write_text(path.read_text().replace('= "peaks"', '= "peeks"'))
    with pytest.raises(UserError, match="statistics is 'peeks'; needed: one of gradient, modality, peaks, released"):
        settings(page, "select_neurons", "loudest")

"""The smoke study through the real workflow, in a copy of the repository: what runs, and what runs again."""

import re

import pandas as pd
import pyarrow.parquet
import pytest

MODELS = ("llava", "idefics2")
TRAINING = ("ga", "gradient_difference", "kl", "npo")
PRUNING = ("manu", "manu_released")
METHODS = (*TRAINING, "prompting", *PRUNING)
FIGURES = (
    "forgets_and_keeps",
    "tradeoff",
    "modality_balance",
    "pruned_per_layer",
    "balance_heatmap",
    "ratio_sweep",
    "ablation_selectivity",
    "pruned_activations",
    "claims_overview",
    "paper_against_ours",
    "forgetting_cost",
    "pruned_by_function",
)
VARIANTS = ("ratio50", "only_abs", "scaled_half", "samples008", "random")
SCORE_COLUMNS = (
    "study,model,method,forget_ratio,seed,split,modality,task,metric,metric_version,value,n,ci_low,ci_high,"
    "higher_is_better"
)
CELL = ["model", "forget_ratio", "seed", "method", "split", "modality", "task", "metric"]
# the jobs that any new answers bring with them
TABLES = (
    "scores",
    "diverged",
    "outcomes",
    "costs",
    "readme",
    "claims",
    "claims_by_ratio",
    "claims_by_run",
    "distance_to_goal",
    "comparison",
    "seeds",
    "paired_tests",
)
FROM_ANSWERS = {
    **{f"make_{table}": 1 for table in TABLES},
    "make_main": 2,
    "draw": 7,
    "write_report": 1,
    "write_explorer": 1,
}
TUNED = ("ga", "manu")
ANSWER_COLUMNS = (
    "study,model,method,forget_ratio,seed,split,modality,task,profile_id,question_id,prompt,reference,options,"
    "answer_variants,reply,choice,option_log_likelihoods,answer_losses,correct,rouge1,rouge2,rougeL,bleu"
)


def summaries(output: str) -> int:
    """How often an output holds the closing summary."""
    return len(re.findall(r"^scores +results/smoke/scores\.csv$", output, re.MULTILINE))


def test_every_expected_output_is_there(copy):
    expected = [
        "data/smoke/ft_Data/train-00000-of-00001.parquet",
        "data/smoke/forget_10/train-00000-of-00001.parquet",
        "data/smoke/retain_90/train-00000-of-00001.parquet",
        "results/smoke/scores.csv",
        "results/smoke/readme.md",
        "results/smoke/outcomes.csv",
        "results/smoke/costs.csv",
        "results/smoke/report/index.html",
        "results/smoke/report/explore.html",
        *(
            f"results/smoke/tables/{table}.csv"
            for table in (
                "claims",
                "claims_by_ratio",
                "claims_by_run",
                "distance_to_goal",
                "comparison",
                "seeds",
                "tuning",
                "paired_tests",
                "activations",
            )
        ),
        *(f"figures/smoke/{figure}.{form}" for figure in FIGURES for form in ("png", "svg", "csv")),
    ]
    for model in MODELS:
        cell = f"results/smoke/{model}/seed0/forget10"
        answers = f"results/smoke/answers/{model}/seed0"
        expected += [f"results/smoke/tables/main_{model}.{form}" for form in ("csv", "md")]
        expected += [
            f"results/smoke/{model}/seed0/{stage}/checkpoint/model.safetensors" for stage in ("base", "vanilla")
        ]
        expected += [f"results/smoke/{model}/seed0/random40/mask.safetensors", f"{answers}/random40.parquet"]
        expected += [f"results/smoke/tables/{table}_{model}.csv" for table in ("capacity", "ablation")]
        expected += [f"{cell}/ablation/{variant}/mask.safetensors" for variant in VARIANTS]
        expected += [f"{answers}/forget10/ablation.parquet"]
        expected += [f"{answers}/tuning/{method}.parquet" for method in TUNED]
        expected += [f"results/smoke/{model}/seed0/tuning/{method}/choice.json" for method in TUNED]
        expected += [f"{cell}/manu/activations.csv"]
        expected += [f"{cell}/{method}/checkpoint/model.safetensors" for method in ("retain_only", *TRAINING)]
        expected += [f"{cell}/{method}/{file}" for method in PRUNING for file in ("mask.safetensors", "neurons.csv")]
        expected += [f"{cell}/prompting/system_prompt.txt"]
        expected += [f"{cell}/statistics/{kind}.safetensors" for kind in ("modality", "released")]
        expected += [f"{answers}/vanilla.parquet"]
        expected += [f"{answers}/forget10/{method}.parquet" for method in ("retain_only", *METHODS)]
    empty_or_missing = [
        name for name in expected if not (copy.folder / name).is_file() or not (copy.folder / name).stat().st_size
    ]
    assert not empty_or_missing


def test_the_scores(copy):
    scores = pd.read_csv(copy.folder / "results/smoke/scores.csv")
    assert ",".join(scores.columns) == SCORE_COLUMNS
    assert set(scores["study"]) == {"smoke"}
    assert set(scores["model"]) == set(MODELS)
    assert set(scores["method"]) == {"vanilla", "retain_only", *METHODS}
    assert set(scores["forget_ratio"]) == {10}
    assert set(scores["split"]) == {"forget", "test", "retain", "celebrity", "general"}
    assert set(scores["modality"]) == {"multimodal", "text"}
    assert set(scores["task"]) == {"classification", "cloze", "generation"}
    assert set(scores["metric"]) == {"accuracy", "rouge1", "rouge2", "rougeL", "bleu"}
    assert scores.notna().all(axis=None)
    assert scores[["value", "ci_low", "ci_high"]].stack().between(0, 1).all()
    assert ((scores["ci_low"] <= scores["value"]) & (scores["value"] <= scores["ci_high"])).all()
    assert (scores["n"] > 0).all()
    assert (scores["higher_is_better"] == ~scores["split"].isin(["forget", "test"])).all()
    assert not scores.duplicated(["model", "method", "split", "modality", "task", "metric"]).any()


def intervals_of(copy, table, **columns):
    """value, ci_low, ci_high of a table by cell. columns: of the table -> that of the scores, or its value if fixed."""
    frame = pd.read_csv(copy.folder / f"results/smoke/{table}")
    frame = frame.rename(columns={column: name for name, column in columns.items() if column in frame})
    fixed = {name: value for name, value in columns.items() if name not in frame}
    frame = frame.assign(**fixed)
    return frame.set_index(CELL)[["value", "ci_low", "ci_high"]]


@pytest.mark.parametrize(
    "table, columns",
    [
        *(
            (
                "tables/distance_to_goal.csv",
                {
                    **{"value": f"forget_{modality}", "split": "forget", "modality": modality},
                    **{f"ci_{end}": f"forget_{modality}_ci_{end}" for end in ("low", "high")},
                },
            )
            for modality in ("multimodal", "text")
        ),
        *((f"tables/ablation_{model}.csv", {"value": "accuracy"}) for model in MODELS),
    ],
)
def test_one_number_has_one_interval(copy, table, columns):
    """Accuracies that a table computes from draws of people have the interval that they have among the scores."""
    scores = intervals_of(copy, "scores.csv", task="task", metric="metric")
    there = intervals_of(copy, table, task="classification", metric="accuracy", **columns)
    both = there.join(scores, rsuffix="_of_scores", how="inner")
    assert len(both) >= 4
    for column in scores.columns:
        assert (both[column] - both[f"{column}_of_scores"]).abs().max() < 1.5e-6, both.to_string()


def test_the_answers(copy):
    for path in (copy.folder / "results/smoke/answers").rglob("*.parquet"):
        columns = ANSWER_COLUMNS + (",trial" if path.parent.name == "tuning" else "")
        assert ",".join(pyarrow.parquet.read_schema(path).names) == columns, path


def test_the_first_run_says_one_line_per_job_and_closes_with_the_summary(study):
    _, output = study
    total = int(re.search(r"of (\d+) jobs \(100 %\)", output)[1])
    assert len(re.findall(r"\(\d+ s\)$", output, re.MULTILINE)) == total - 1  # `all` does nothing itself
    assert summaries(output) == 1
    assert "Traceback" not in output


def test_a_second_run_does_nothing_and_says_so(copy):
    before = copy.times()
    output = copy.run().stdout
    assert output.count("study 'smoke' is complete: nothing to do") == 1
    assert summaries(output) == 1
    assert copy.times() == before


def test_a_deleted_figure_is_drawn_again_and_the_report_with_it(copy):
    before = copy.times()
    (copy.folder / "figures/smoke/tradeoff.svg").unlink()
    assert copy.planned() == ({"draw": 1, "write_report": 1}, set())
    assert summaries(copy.run().stdout) == 1
    after = copy.times()
    assert {name for name in after if after[name] != before[name]} == {
        *(f"figures/smoke/tradeoff.{form}" for form in ("png", "svg", "csv", "provenance.json")),
        *(f"results/smoke/report/index.{form}" for form in ("html", "provenance.json")),
    }


def test_a_touched_file_reruns_nothing(copy):
    (copy.folder / "src/manu/unlearning/npo.py").touch()
    assert copy.planned() == ({}, set())


def test_an_edited_method_reruns_its_own_jobs_and_what_follows(copy, edited):
    edited("src/manu/unlearning/npo.py", "", "\nHARMLESS = 1\n")
    jobs, methods = copy.planned()
    assert jobs == {"unlearn": 2, "evaluate": 2, **FROM_ANSWERS}
    assert methods == {"npo"}


def test_an_edited_pruning_method_measures_nothing_again(copy, edited):
    edited("src/manu/unlearning/manu.py", "", "\nHARMLESS = 1\n")
    jobs, methods = copy.planned()
    assert jobs == {
        "select_neurons": 2,
        "evaluate": 2,
        "list_activations": 2,
        "make_activations": 1,
        "select_variants": 2,
        "make_selection": 1,
        "evaluate_variants": 2,
        "make_ablation": 2,
        **FROM_ANSWERS,
        "draw": 12,
        "tune": 2,
        "choose_settings": 2,
        "make_tuning": 1,
    }
    assert methods == {"manu"}


def test_an_edited_figure_is_the_only_one_drawn(copy, edited):
    edited("src/manu/analysis/figures/tradeoff.py", "", "\nHARMLESS = 1\n")
    assert copy.planned() == ({"draw": 1, "write_report": 1}, set())


def test_another_way_of_asking_trains_no_model_anew(copy, edited):
    edited("config/studies/smoke.yaml", "max_new_tokens: 12", "max_new_tokens: 9")
    jobs, _ = copy.planned()
    assert set(jobs) == {
        "evaluate",
        "evaluate_variants",
        "make_ablation",
        "make_capacity",
        *FROM_ANSWERS,
        # what is open is chosen by what is answered
        "tune",
        "choose_settings",
        "make_tuning",
        "unlearn",
        "select_neurons",
        "make_selection",
        "list_activations",
        "make_activations",
    }
    assert "train" not in jobs


def test_a_setting_of_a_method_reruns_that_method(copy, edited):
    edited("config/studies/smoke.yaml", "  npo: {", "  npo: {beta: 0.5, ")
    assert copy.planned()[1] == {"npo"}


def test_the_attacks_are_a_target_of_their_own(copy):
    assert not (copy.folder / "results/smoke/tables/robustness.csv").exists()
    attacks = {"attack": 18, "make_robustness": 1, "draw": 1, "write_report": 1, "robustness": 1}
    assert copy.planned("robustness")[0] == attacks


def test_another_attack_reruns_nothing_of_the_study(copy, edited):
    edited("config/studies/smoke.yaml", "methods:", "robustness: {bits: [3]}\nmethods:")
    assert copy.planned() == ({}, set())


def test_a_bad_configuration_stops_before_any_job(copy, edited):
    before = copy.times()
    edited("config/studies/smoke.yaml", "  npo:", "  nop:")
    done = copy.snakemake("--cores", "2")
    assert done.returncode == 2
    lines = [line for line in done.stdout.splitlines() if not line.startswith("Using ")]  # the profile
    assert len(lines) == 1 and "unknown method 'nop' in 'methods'; did you mean 'npo'? known: dpo, ga, " in lines[0]
    assert copy.times() == before

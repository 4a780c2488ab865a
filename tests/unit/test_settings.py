"""The settings of jobs: what each may read of the study, when their files are written, and which jobs there are."""

import os
import re
from pathlib import Path

import pytest
import yaml
from studies import GOOD, changed

from listed_jobs import listed, settings_by_file
from manu.core.errors import UserError
from manu.jobs.settings_files import SettingsFiles, job_of
from manu.study.loading import read_study
from manu.study.model import Study
from manu.study.settings import robustness_figures, settings_of

CELL = {"model": "llava", "seed": 1, "ratio": 20}
RESULTS = "results/study"


def read(folder: Path, text: str = GOOD) -> Study:
    """A study with this text in its file."""
    path = folder / "study.yaml"
    path.write_text(text)
    return read_study(path)


@pytest.fixture(scope="module")
def jobs(tmp_path_factory):
    """The jobs of GOOD for the targets all and robustness, from one call of the workflow each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("jobs"))
        Path("study.yaml").write_text(GOOD)
        yield listed("study.yaml"), listed("study.yaml", "robustness")


def test_a_job_reads_only_what_it_needs(tmp_path):
    study = read(tmp_path)
    assert set(settings_of(study, "generate_benchmark")) == {"benchmark", "forget_ratios"}
    base = settings_of(study, "train", trained="base", **CELL)
    assert set(base) == {"stage", "seed", "model", "tuning", "architecture", "training"}
    loading = {"precision": "float32", "gradient_checkpointing": False, "device_map": "none"}
    vanilla = settings_of(study, "train", trained="vanilla", **CELL)
    assert set(vanilla) == {"stage", "seed", "model", "loading", "tuning", "training"} and vanilla["loading"] == loading
    retain_only = {"stage": "retain_only", "ratio": 20}
    assert settings_of(study, "train", trained="retain_only", **CELL) == vanilla | retain_only
    unlearn = settings_of(study, "unlearn", method="npo", **CELL)
    job = {"seed": 1, "model": "llava", "loading": loading}
    assert unlearn == job | {"method": "npo", "settings": study.methods["npo"]}
    released = settings_of(study, "measure_statistics", kind="released", **CELL)
    assert released == job | {"statistics": {"batch_size": 64}}
    assert settings_of(study, "evaluate", method="npo", **CELL)["ratios"] == [20]
    assert settings_of(study, "evaluate", method="vanilla", model="llava", seed=1)["ratios"] == [5, 20]
    assert settings_of(study, "evaluate", method="random10", model="llava", seed=1)["ratios"] == [20]
    assert settings_of(study, "write_report", page="index")["methods"]["manu"] == {
        "kind": "pruning",
        "prune_ratio": 10.0,
    }
    with pytest.raises(UserError, match="step 'summary' has no settings"):
        settings_of(study, "summary")


def test_adapters_and_a_language_model_reach_the_jobs_that_train(tmp_path):
    brought = "llava: {lora: {rank: 4}, language_model: {path: lm}, architecture: {vision_width: 8}, "
    study = read(tmp_path, changed("llava: {", brought))
    assert not [key for key in study.models["llava"].architecture if key.startswith("text_")]
    lora = {"rank": 4, "alpha": 16, "dropout": 0.05}
    for trained in ("base", "vanilla", "retain_only"):
        assert settings_of(study, "train", trained=trained, **CELL)["lora"] == lora
    for step in ("unlearn", "tune", "forget_in_turn", "attack"):
        assert settings_of(study, step, model="llava", seed=1, method="npo")["lora"] == lora, step
    assert "lora" not in settings_of(study, "evaluate", method="npo", **CELL)
    built_here = read(tmp_path, changed("llava: {", "llava: {lora: {}, "))
    assert "lora" not in settings_of(built_here, "train", trained="base", **CELL)
    assert settings_of(built_here, "train", trained="vanilla", **CELL)["lora"]["rank"] == 16


def test_several_processes_reach_the_jobs_that_share_and_a_single_one_leaves_no_trace(tmp_path, jobs):
    one, two = (read(tmp_path, changed("llava: {", f"llava: {{processes: {number}, ")) for number in (1, 2))
    for trained in ("base", "vanilla", "retain_only"):
        assert settings_of(two, "train", trained=trained, **CELL)["processes"] == 2
    plain = settings_by_file(read(tmp_path), jobs[0])
    assert settings_by_file(one, jobs[0]) == plain
    differing = [path for path, content in settings_by_file(two, jobs[0]).items() if content != plain[path]]
    assert {path.rpartition("/")[2] for path in differing} == {"train.yaml"}


def test_changing_the_evaluation_changes_no_file_of_a_training_job(tmp_path, jobs):
    before = settings_by_file(read(tmp_path), jobs[0])
    after = settings_by_file(read(tmp_path, changed("splits: [forget, retain]", "max_new_tokens: 5")), jobs[0])
    differing = [path for path in before if before[path] != after[path]]
    asking = re.compile(r"results/study/(answers/.*|llava/seed\d/capacity|tables/comparison)\.yaml")
    assert differing and all(asking.fullmatch(path) for path in differing)


def test_attacks_are_at_one_ratio_and_apart_from_the_study(tmp_path, jobs):
    study = read(tmp_path, f"{GOOD}robustness: {{bits: [4]}}\n")
    assert study.robustness.forget_ratio == 20
    attack = settings_of(study, "attack", model="llava", seed=1, method="vanilla")
    assert attack["ratios"] == [20] and attack["evaluation"]["tasks"] == ["classification"]
    assert attack["robustness"]["bits"] == [4] and not attack["robustness"].keys() & {"forget_ratio", "sequential"}
    more = jobs[1].keys() - jobs[0].keys()
    assert f"{RESULTS}/robustness/llava/seed1/forget20/vanilla.yaml" in more
    assert {f"{RESULTS}/tables/robustness.yaml", "figures/study/relearning.yaml"} <= more
    assert f"{RESULTS}/report/robustness.yaml" in more
    assert jobs[0].keys() - jobs[1].keys() == {f"{RESULTS}/report/index.yaml"}


def test_requests_in_turn_are_all_ratios_or_those_given(tmp_path, jobs):
    text = changed("[5, 20]", "[20, 5, 10]").replace("{prune_ratio: 10}", "{prune_ratio: 10, samples: 8}")
    study = read(tmp_path, text)
    turns = settings_of(study, "forget_in_turn", model="llava", seed=1, method="manu")
    assert turns["requests"] == [5, 10, 20] and turns["ratios"] == [20]
    assert turns["evaluation"]["tasks"] == ["classification"] and turns["evaluation"]["splits"] == ["forget", "retain"]
    assert turns["statistics"] == {"batch_size": 64, "tau": 0.1, "milestones": [8]}
    assert "statistics" not in settings_of(study, "forget_in_turn", model="llava", seed=0, method="npo")
    in_turn = {
        f"{RESULTS}/sequential/llava/seed{seed}/{m}.yaml" for seed in (0, 1) for m in ("npo", "prompting", "manu")
    }
    in_turn |= {f"{RESULTS}/tables/sequential.yaml", "figures/study/sequential_requests.yaml"}
    assert {path for path in jobs[1] if "sequential" in path} == in_turn
    assert robustness_figures(study) == ["relearning", "sequential_requests"]
    assert not [path for path in jobs[0] if "sequential" in path]


def test_a_single_request_is_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    single = read(tmp_path, f"{GOOD}robustness: {{sequential: {{requests: [20]}}}}\n")
    assert not [path for path in listed("study.yaml", "robustness") if "sequential" in path]
    assert robustness_figures(single) == ["relearning"]


def test_a_file_is_written_only_when_its_content_changes(tmp_path, monkeypatch, jobs):
    monkeypatch.chdir(tmp_path)
    files = SettingsFiles(read(tmp_path))
    paths = [files.write(path, job.step, job.keys) for path, job in jobs[0].items()]
    for path in paths:
        os.utime(path, (1, 1))
    again = SettingsFiles(read(tmp_path, changed("prune_ratio: 10", "prune_ratio: 20")))
    for path, job in jobs[0].items():
        assert again.write(path, job.step, job.keys) == path
    rewritten = {path for path in paths if Path(path).stat().st_mtime != 1}
    masks = {f"{RESULTS}/llava/seed{s}/forget{r}/manu/select_neurons.yaml" for s in (0, 1) for r in ("05", "20")}
    tables = {f"{RESULTS}/{name}.yaml" for name in ("tables/main_llava", "report/index")}
    assert rewritten == masks | tables
    assert all(yaml.safe_load(Path(path).read_text()) is not None for path in paths)


def test_the_format_reaches_the_jobs_that_make_or_check_the_benchmark(tmp_path):
    tasks = "splits: [forget, retain], tasks: [classification, generation]"
    clear = changed("{people: 20}", "{people: 20, format: clear}").replace("splits: [forget, retain]", tasks)
    assert settings_of(read(tmp_path, clear), "generate_benchmark")["benchmark"]["format"] == "clear"
    assert "format" not in settings_of(read(tmp_path), "generate_benchmark")["benchmark"]
    fetched = clear.replace("{people: 20, format", "{path: a/folder, format")
    fetched = fetched.replace("llava: {training: {vanilla: {epochs: 2}}}", "llava: {start: {path: b}}")
    expected = {"source": {"path": "a/folder"}, "forget_ratios": [5, 20], "format": "clear"}
    assert settings_of(read(tmp_path, fetched), "fetch_benchmark") == expected


def test_the_keys_of_a_job_are_its_wildcards():
    assert job_of({"model": "llava", "seed": "0", "at": "forget05/"}) == {"model": "llava", "seed": 0, "ratio": 5}
    assert job_of({"at": "", "method": "vanilla"}) == {"method": "vanilla"}
    assert job_of({"ratio": "10", "share": "40"}) == {"ratio": 10, "share": 40}


def test_a_job_is_listed_with_what_the_workflow_knows_of_it(jobs):
    unlearn = jobs[0][f"{RESULTS}/llava/seed1/forget05/npo/unlearn.yaml"]
    assert (unlearn.rule, unlearn.step, unlearn.threads, unlearn.gpus) == ("unlearn", "unlearn", 1, 1)
    assert unlearn.keys == {"model": "llava", "seed": 1, "ratio": 5, "method": "npo"}
    folder = f"{RESULTS}/llava/seed1/forget05/npo"
    assert unlearn.record == f"{folder}/unlearn.provenance.json"
    assert unlearn.outputs == [f"{folder}/checkpoint/model.safetensors", unlearn.record]
    assert unlearn.settings_file in unlearn.inputs
    assert [file for file in unlearn.inputs if file.endswith("src/manu/unlearning/npo.py")]
    assert unlearn.settings["settings"]["beta"] == 0.4
    selection = jobs[0][f"{RESULTS}/llava/seed1/forget05/manu/select_neurons.yaml"]
    assert not selection.runs_model and unlearn.runs_model


def test_a_record_is_an_output_of_each_job(jobs):
    assert all(job.record in job.outputs for each in jobs for job in each.values())


def test_a_page_reads_the_records_of_all_jobs_before_it(jobs):
    for target, page in zip(jobs, ("index", "robustness"), strict=True):
        report = target[f"{RESULTS}/report/{page}.yaml"]
        records = {name for name in report.inputs if name.endswith(".provenance.json")}
        assert records == {job.record for path, job in target.items() if "/report/" not in path}


def test_a_workflow_that_cannot_be_read_is_told_in_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        listed("study.yaml")
    assert str(error.value).startswith("cannot read study.yaml") and "\n" not in str(error.value)

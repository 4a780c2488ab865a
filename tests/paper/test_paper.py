"""The study `paper` from the hub's files to the report and the audit, on the published repositories in small.

`make test-paper`: minutes. One seed, short replies, no harness (tests/unit/test_harness_mmmu.py), and a rate at which
so small a model learns; everything else is as in config/studies/paper.yaml, and runs offline through the same rules.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

import published
from manu.data.reading import read_training_data
from manu.fetching.checksums import record_of, sums_of
from manu.steps.fetch_benchmark import FILES as TABLES
from manu.steps.fetch_model import FILES as MODEL
from workflow_copy import Copy

COMMIT = "0123456789abcdef" * 2 + "01234567"
REPOSITORIES = {
    "MLLMMU/MLLMU-Bench": ("datasets", TABLES),
    "llava-hf/llava-1.5-7b-hf": ("models", MODEL),
    "HuggingFaceM4/idefics2-8b": ("models", MODEL),
    "MLLMMU/LLaVA_Vanilla": ("models", MODEL),
}


def snapshot(home: Path, repo: str) -> Path:
    """Where the hub's cache keeps a repository's files at the commit."""
    kind, _ = REPOSITORIES[repo]
    folder = home / "hub" / f"{kind}--{repo.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(COMMIT)
    return folder / "snapshots" / COMMIT


def changed(copy: Copy, name: str, **changes) -> None:
    """Change keys of a study in the copy; None takes a key away."""
    file = copy.folder / "config/studies" / f"{name}.yaml"
    study = yaml.safe_load(file.read_text()) | changes
    file.write_text(yaml.safe_dump({key: value for key, value in study.items() if value is not None}, sort_keys=False))


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The repository with the hub's cache beside it, every repository pinned; the study short enough for a test."""
    folder, home = tmp_path_factory.mktemp("paper"), tmp_path_factory.mktemp("home")
    copy = Copy(folder, "paper")
    hub = {repo: snapshot(home, repo) for repo in REPOSITORIES}
    published.mllmu_bench(hub["MLLMMU/MLLMU-Bench"], home / "scratch")
    records = read_training_data(hub["MLLMMU/MLLMU-Bench"])
    texts = [text for record in records for pair in record.pairs for text in pair]
    published.checkpoint(hub["llava-hf/llava-1.5-7b-hf"], "llava", texts)
    published.checkpoint(hub["HuggingFaceM4/idefics2-8b"], "idefics2", texts)
    published.checkpoint(hub["MLLMMU/LLaVA_Vanilla"], "llava", texts, torch.float32, processor=False, seed=1)
    for repo, (_, patterns) in REPOSITORIES.items():
        record = folder / record_of(repo, COMMIT)
        record.parent.mkdir(exist_ok=True)
        record.write_text(json.dumps(sums_of(hub[repo], patterns)))
    models = yaml.safe_load((folder / "config/studies/paper.yaml").read_text())["models"]
    for model in models.values():
        model["training"]["vanilla"]["learning_rate"] = 1.0e-2
    asked = {"max_new_tokens": 8, "splits": ["forget", "test", "retain", "celebrity"]}
    asked |= {"classification": "letter", "prompt_style": "instruct", "batch_size": 64}
    changed(copy, "paper", seeds=[0], harness=None, models=models, evaluation=asked, intervals={"resamples": 19})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HOME", str(home))
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield copy


def test_the_gate_stops_the_study_before_anything_is_unlearned(copy):
    changed(copy, "paper", memorisation={"margin": 100.0})
    done = copy.snakemake("only=method=manu,npo", "--cores", "2", "--keep-going")
    assert done.returncode == 1
    told = [line for line in done.stdout.splitlines() if line.startswith("error: ") and "memorisation.margin" in line]
    assert len({line.split(",")[0] for line in told}) == 2, done.stdout  # one for each model
    assert "Traceback" not in done.stdout
    made = copy.folder / "results/paper"
    assert list(made.glob("*/seed0/vanilla/checkpoint/model.safetensors"))
    assert not list(made.glob("*/seed0/forget*/**/*.safetensors"))


def test_the_paper_runs_to_its_report_and_is_audited(copy):
    changed(copy, "paper", memorisation={"margin": 0.01})
    copy.run()
    results = copy.folder / "results/paper"
    assert (results / "report/index.html").is_file()
    assert copy.planned()[0] == {}
    methods = ["vanilla", "retain_only", "ga", "gradient_difference", "kl", "npo", "prompting", "manu", "manu_released"]
    for model in ("llava", "idefics2"):
        main = pd.read_csv(results / f"tables/main_{model}.csv")
        assert list(main["method"]) == methods * 3
        assert (main["memorised"].notna() == (main["method"] == "vanilla")).all()
        gate = json.loads((results / model / "seed0/memorisation.json").read_text())
        assert gate["lead"] == pytest.approx(gate["vanilla"] - gate["start"]) and gate["lead"] >= 0.01
    for manifest in (copy.folder / "data/paper/fetched/files.json", results / "llava/start/files.json"):
        assert json.loads(manifest.read_text())["revision"] == COMMIT
    neurons = pd.read_csv(results / "llava/seed0/forget05/manu/neurons.csv")
    assert not set(neurons["layer"][neurons["part"] == "vision"]) - set(range(23))  # the 24th feeds nothing
    audit = [sys.executable, "-m", "manu.cli", "audit", "--all", "--study", "paper"]
    environment = os.environ | {"PYTHONPATH": str(copy.folder / "src")}
    done = subprocess.run(audit, cwd=copy.folder, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_authors_vanilla_model_is_taken_with_the_processor_of_its_start(copy):
    models = yaml.safe_load((copy.folder / "config/studies/paper.yaml").read_text())["models"]
    theirs = {"llava": models["llava"] | {"vanilla": {"repo": "MLLMMU/LLaVA_Vanilla", "revision": "pin"}}}
    study = copy.folder / "config/studies/theirs.yaml"
    study.write_text(yaml.safe_dump({"extends": "paper", "models": theirs, "memorisation": {"margin": 0.0}}))
    other = Copy.made(copy.folder, "theirs")
    done = other.snakemake("only=method=vanilla,manu ratio=5", "--cores", "2")
    assert done.returncode == 0, done.stdout
    manifest = json.loads((copy.folder / "results/theirs/llava/vanilla/files.json").read_text())
    assert manifest["processor"].endswith(f"models--llava-hf--llava-1.5-7b-hf/snapshots/{COMMIT}")
    assert pd.read_parquet(copy.folder / "results/theirs/answers/llava/seed0/vanilla.parquet")["reply"].notna().all()

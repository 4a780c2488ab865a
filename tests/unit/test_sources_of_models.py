"""Checkpoints and benchmarks that are not made here: from the hub's cache or a folder, checked, loaded as they are."""

import json
import os
import shutil
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from studies import changed, told

from listed_jobs import listed
from manu.core.errors import UserError
from manu.core.words import MODALITIES, SETS
from manu.data.mllmu import check_published, published_configs
from manu.data.profiles import forget_config, retain_config
from manu.data.reading import read_ids, read_names, read_training_data_of
from manu.evaluation.answers import collect_answers
from manu.fetching.fetch import fetch
from manu.fetching.manifest import located
from manu.fetching.source import Source
from manu.models.checkpoint import load_model
from manu.models.loading import Loading, prepare_torch
from manu.neurons.measuring import measure
from manu.neurons.statistics.modality import ModalityStatistics
from manu.steps import fetch_model, train
from manu.study.loading import read_study
from manu.study.model import Evaluation
from manu.study.settings import settings_of
from manu.training.dataset import TrainingSet
from manu.training.loop import Optimisation, fit
from manu.training.lora import Lora, adapted, released_lora
from manu.training.losses import answer_cross_entropy
from manu.unlearning.registry import create_method
from manu.unlearning.run import unlearned

COMMIT, OTHER = "0123456789abcdef" * 2 + "01234567", "f" * 40
KEYS = {"study": "s", "model": "m", "method": "vanilla", "seed": 0}
EVALUATION = Evaluation(
    splits=["forget"], tasks=["classification", "cloze"], batch_size=8, max_new_tokens=4
).model_dump()


def shards(vlm, folder: Path) -> Path:
    """The adapter's checkpoint in several safetensors files."""
    vlm.model.save_pretrained(folder, max_shard_size="20KB")
    vlm.processor.save_pretrained(folder)
    assert len(list(folder.glob("*.safetensors"))) > 2 and not (folder / "model.safetensors").exists()
    return folder


def fetched(folder: Path, out: Path, check) -> None:
    """The manifest in `out` of a local folder."""
    fetch(Source(path=str(folder)), "model", ("*.parquet", *fetch_model.FILES), out / "files.json", check)


def statistics_of(vlm, benchmark):
    rng = np.random.default_rng(0)
    batches = {}
    for data_set, people in zip(SETS, (forget_config(10), retain_config(10)), strict=True):
        lessons, names = read_training_data_of(benchmark, people)[:2], read_names(benchmark, people)
        training_set = TrainingSet(vlm).add(lessons, names, paired=True)
        for modality in MODALITIES:
            stream = training_set.stream(modality, 8, rng)
            batches[data_set, modality] = [next(stream) for _ in range(2)]
    sites = vlm.mlp_sites()
    return measure(ModalityStatistics.at(sites, tau=0.1), vlm.model, sites, batches, vision_mask=vlm.vision_mask)


def test_the_same_masks_and_scores_from_memory_one_file_and_shards(vlm, benchmark_folder, tmp_path):
    vlm.save(tmp_path / "one")
    fetched(shards(vlm, tmp_path / "many"), tmp_path / "m", vlm.check)
    config = {"model": vlm.name, "seed": 0}
    models = [vlm, load_model(config, tmp_path / "one"), load_model(config, tmp_path / "m")]
    method = create_method("manu", {"prune_ratio": 20})
    masks = [method.select(statistics_of(each, benchmark_folder)).masks for each in models]
    answers = [collect_answers(each, benchmark_folder, KEYS, [10], EVALUATION) for each in models]
    for mask, table in zip(masks[1:], answers[1:], strict=True):
        assert all(torch.equal(mask[site], masks[0][site]) for site in masks[0])
        pd.testing.assert_frame_equal(table, answers[0])
    assert any(mask.any() for mask in masks[0].values())


def test_a_checkpoint_that_is_not_complete_is_refused(vlm, tmp_path):
    folder = shards(vlm, tmp_path / "many")
    lost = sorted(folder.glob("*.safetensors"))[1]
    lost.rename(tmp_path / "kept")
    with pytest.raises(UserError, match=f"{lost.name} is missing; needed: a complete save_pretrained folder"):
        vlm.check(folder)
    (tmp_path / "kept").rename(lost)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "clip"}))
    with pytest.raises(UserError, match=f"a model of type 'clip'; needed: '{vlm.model_class.config_class.model_type}'"):
        vlm.check(folder)

    vlm.save(tmp_path / "one")
    weights = load_file(tmp_path / "one/model.safetensors")
    name = next(name for name in weights if name.endswith("layers.0.mlp.down_proj.weight"))
    del weights[name]
    save_file(weights, tmp_path / "one/model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=r"1 weights are missing, such as .*down_proj"):
        type(vlm).load(tmp_path / "one")


def test_precision_is_what_the_study_says(vlm, benchmark_folder, tmp_path):
    vlm.save(tmp_path / "one")
    low = type(vlm).load(tmp_path / "one", Loading("bfloat16"))
    assert {parameter.dtype for parameter in low.model.parameters()} == {torch.bfloat16}
    low.save(tmp_path / "low")
    assert {each.dtype for each in load_file(tmp_path / "low/model.safetensors").values()} == {torch.bfloat16}
    again = type(vlm).load(tmp_path / "low")  # whatever the checkpoint has
    assert {parameter.dtype for parameter in again.model.parameters()} == {torch.float32}
    exact, rough = (statistics_of(each, benchmark_folder) for each in (vlm, low))
    for site in exact.widths:
        mine, theirs = (each.sums("forget", "multimodal", "mean", site) for each in (exact, rough))
        assert theirs.sum_abs.dtype == torch.float64
        torch.testing.assert_close(theirs.sum_abs, mine.sum_abs, rtol=0.1, atol=0.1 * mine.sum_abs.max().item())
    assert len(collect_answers(low, benchmark_folder, KEYS, [10], EVALUATION))


@pytest.mark.parametrize("lora", [None, Lora(("q_proj", "up_proj"), rank=2)], ids=["weights", "adapters"])
def test_recomputed_activations_give_the_same_training(lora, vlm, benchmark_folder, tmp_path):
    vlm.save(tmp_path / "one")
    losses = []
    for recompute in (False, True):
        prepare_torch(0)
        model = type(vlm).load(tmp_path / "one", Loading(gradient_checkpointing=recompute))
        lessons = read_training_data_of(benchmark_folder, forget_config(10))
        training_set = TrainingSet(model).add(lessons, read_names(benchmark_folder))
        batches = [batch for _, batch in training_set.epoch(8, np.random.default_rng(0))][:3]
        how = Optimisation(1e-3, 3)
        losses.append(
            fit(model.model, batches, lambda b, model=model: answer_cross_entropy(model.model, b), how, lora=lora)
        )
        assert model.model.is_activation_checkpointing is recompute
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_a_spread_model_has_the_same_weights(vlm, tmp_path):
    vlm.save(tmp_path / "one")
    spread = type(vlm).load(tmp_path / "one", Loading(device_map="auto")).model
    assert all(torch.equal(a.cpu(), b) for a, b in zip(spread.parameters(), vlm.model.parameters(), strict=True))


@pytest.mark.parametrize("device_map", ["none", "auto"])
def test_adapters_train_in_float32_on_low_precision_again_and_again(device_map, vlm, benchmark_folder, tmp_path):
    vlm.save(tmp_path / "one")
    how = {"precision": "bfloat16", "gradient_checkpointing": True, "device_map": device_map}
    config = {"model": vlm.name, "seed": 1, "method": "npo", "loading": how}
    config |= {"lora": {"rank": 2, "alpha": 64, "dropout": 0.05}}
    model = load_model(config, tmp_path / "one")
    with adapted(model.model, released_lora(config, model)):
        learning = {parameter.dtype for parameter in model.model.parameters() if parameter.requires_grad}
    assert learning == {torch.float32}
    method = create_method("npo", {"learning_rate": 3e-3, "epochs": 1, "batch_size": 8})
    for _ in range(2):  # two requests: the second starts from the merged model, which is its reference as well
        before = {name: weight.clone() for name, weight in model.model.state_dict().items()}
        assert np.isfinite(unlearned(config, method, model, benchmark_folder, 10)).all()
        after = model.model.state_dict()
        assert {weight.dtype for weight in model.model.parameters()} == {torch.bfloat16}
        moved = {name for name, weight in after.items() if not torch.equal(weight, before[name])}
        assert before.keys() == after.keys() and moved >= {f"{name}.weight" for name in model.language_linears}
    assert len(collect_answers(model, benchmark_folder, KEYS, [10], EVALUATION))


@pytest.fixture
def published(benchmark_folder, tmp_path):
    """A folder in the layout of MLLMU-Bench's repository: none of the built-in benchmark's own configurations."""
    folder = tmp_path / "published"
    for config in published_configs([10]):
        shutil.copytree(benchmark_folder / config, folder / config)
    return folder


def test_vanilla_and_retain_only_from_a_pretrained_start_and_a_fetched_benchmark(vlm, published, tmp_path):
    fetched(shards(vlm, tmp_path / "pretrained"), tmp_path / "start", vlm.check)
    fetched(published, tmp_path / "data", lambda folder: check_published(folder, [10]))
    recipe = {"epochs": 1, "learning_rate": 1e-3, "batch_size": 32, "schedule": "linear"}
    config = {"model": vlm.name, "seed": 0, "training": recipe, "tuning": False}
    config["loading"] = {"precision": "bfloat16"}
    for stage, ratio in (("vanilla", None), ("retain_only", 10)):
        given = {"benchmark": tmp_path / "data", "language_model": None}
        given |= {"start": tmp_path / "start", "out": tmp_path / stage}
        assert "steps" in train.main(Namespace(**given), config | {"stage": stage, "ratio": ratio})
        vlm.check(tmp_path / stage)
    assert not list((tmp_path / "start").glob("*.safetensors"))  # nothing is copied


def test_what_a_benchmark_lacks_is_named(published):
    check_published(published, [10])
    with pytest.raises(UserError, match="no parquet file in forget_15, retain_85; needed: Full_Set, ft_Data"):
        check_published(published, [10, 15])
    file = next((published / "ft_Data").glob("*.parquet"))
    pq.write_table(pq.read_table(file).rename_columns(["image", "ID", "meta"]), file)
    with pytest.raises(UserError, match=f"{file}: column 'metadata' is missing; it has image, ID, meta"):
        check_published(published, [10])


@pytest.fixture
def hub(published, tmp_path):
    """The hub's cache with that benchmark at one commit, and a way to run rule fetch_benchmark beside it, offline."""
    cache = tmp_path / "home" / "hub" / "datasets--org--bench"
    shutil.copytree(published, cache / "snapshots" / COMMIT)
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text(COMMIT)
    work = tmp_path / "work"
    work.mkdir()

    def run(revision: str) -> str:
        content = {"source": {"repo": "org/bench", "revision": revision}, "forget_ratios": [10]}
        (work / "fetch.yaml").write_text(yaml.safe_dump(content))
        done = subprocess.run(
            [sys.executable, "-m", "manu.steps.fetch_benchmark", "--config", "fetch.yaml", "--out", "data/files.json"],
            cwd=work,
            capture_output=True,
            text=True,
            env=os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home")},
        )
        assert done.returncode in (0, 2), done.stderr
        return done.stderr if done.returncode else ""

    return run, work, cache / "snapshots" / COMMIT


def test_a_revision_in_the_cache_is_found_offline_recorded_and_held_to(hub, published, monkeypatch):
    run, work, snapshot = hub
    assert "org/bench at revision main" not in (error := run("pin")) and "no revision is pinned yet" in error
    assert f"org/bench at revision {OTHER} cannot be downloaded and is not complete in the cache" in run(OTHER)
    assert not (work / "config").exists()

    assert run(COMMIT) == ""
    manifest = json.loads((work / "data/files.json").read_text())
    assert (manifest["source"], manifest["revision"], manifest["folder"]) == ("org/bench", COMMIT, str(snapshot))
    record = work / "config/checksums" / f"org--bench@{COMMIT}.json"
    assert json.loads(record.read_text()) == manifest["files"]
    assert len(manifest["files"]) == len(published_configs([10]))
    provenance = json.loads((work / "fetch.provenance.json").read_text())
    assert list(provenance["outputs"]["out"]) == ["data/files.json"]
    monkeypatch.chdir(work)
    assert read_ids(Path("data"), "forget_10") == read_ids(published, "forget_10")

    assert run("pin") == ""  # what is recorded is pinned
    file = next((snapshot / "Test_Set").glob("*.parquet"))
    name, content = file.relative_to(snapshot).as_posix(), file.read_bytes()
    expected = manifest["files"][name]
    file.write_bytes(content[:-5] + bytes([content[-5] ^ 1]) + content[-4:])
    error = run(COMMIT)
    assert name in error and "is not the file that was first downloaded: sha256 " in error
    assert f"expected {expected['sha256']}" in error and str(record.relative_to(work)) in error
    file.write_bytes(content)
    shutil.copy(file, file.with_name("more.parquet"))
    assert "Test_Set/more.parquet is not among the files of" in run(COMMIT)
    record.with_name(f"org--bench@{OTHER}.json").write_text("{}")
    assert f"records the revisions {COMMIT}, {OTHER}; name one of them" in run("pin")


def test_a_file_that_went_away_is_named(published, tmp_path):
    fetched(published, tmp_path / "data", lambda folder: None)
    assert located(tmp_path / "data") == published and located(published) == published
    next((published / "Full_Set").glob("*.parquet")).unlink()
    with pytest.raises(UserError, match=r"Full_Set/.*\.parquet is gone; fetch .* again: delete .*files.json"):
        read_ids(tmp_path / "data", "ft_Data")


STUDY = f"""\
forget_ratios: [10]
benchmark: {{repo: org/bench, revision: {COMMIT}}}
models:
  llava: {{start: {{path: a/folder}}}}
methods:
  manu: {{prune_ratio: 10}}
evaluation: {{splits: [forget, test, retain, celebrity]}}
"""
MISTAKES = {  # what is replaced, by what, what the message says
    "no revision": (f", revision: {COMMIT}", "", "line 2: 'benchmark': 'revision' of org/bench is missing; needed: a"),
    "a branch": (COMMIT, "main", "'benchmark': 'revision' of org/bench is 'main'; needed: a full commit hash (40"),
    "a short hash": (COMMIT, COMMIT[:12], "needed: a full commit hash"),
    "no organisation": ("repo: org/bench", "repo: bench", "'repo' is 'bench'; needed: organisation/name"),
    "both": ("{path: a/folder}", "{path: a, repo: org/x, revision: pin}", "line 4: 'models.llava.start': both of"),
    "neither": ("{path: a/folder}", "{}", "'models.llava.start': neither of 'repo' and 'path' given"),
    "a path at a revision": ("{path: a/folder}", "{path: a, revision: pin}", "a 'path' has no 'revision'"),
    "unknown key": ("{path: a/folder}", "{folder: a}", "unknown key 'models.llava.start.folder'"),
    "sizes beside a source": ("{repo: org", "{people: 20, repo: org", "'benchmark.people' is a size of the"),
    "a benchmark without a start": ("{start: {path: a/folder}}", "{}", "'models.llava' needs a 'start', since the"),
    "vanilla without a start": ("{start:", "{vanilla:", "'models.llava' needs a 'start', since 'vanilla' is given"),
    "sizes of a fetched model": ("{start:", "{architecture: {}, start:", "'models.llava.architecture' is for models"),
    "a language model of a fetched model": (
        "{start:",
        "{language_model: {path: lm}, start:",
        "'models.llava.language_model' is for models built here",
    ),
    "a language model of a fetched vanilla model": (
        "{start:",
        "{language_model: {path: lm}, vanilla:",
        "this one has a 'vanilla'",
    ),
    "nothing to rehearse": (
        "{start:",
        "{training: {vanilla: {rehearsal: 0.5}}, start:",
        "'models.llava.training.vanilla.rehearsal' is for",
    ),
    "general utility": (", celebrity]", ", general]", "line 7: 'evaluation.splits' has the set 'general', which only"),
    "real language": (", celebrity]", ", language]", "'evaluation.splits' has the set 'language', which only"),
    "the default sets": (
        "evaluation: {splits: [forget, test, retain, celebrity]}\n",
        "",
        "needed: [forget, test, retain, celebrity]",
    ),
    "open settings": ("prune_ratio: 10", "prune_ratio: {tune: [5, 10, 20, 30]}", "'methods.manu' leaves settings"),
    "membership": ("methods:", "robustness: {membership: {share: 0.1}}\nmethods:", "'robustness.membership' needs"),
    "precision": ("{start:", "{precision: float16, start:", "unknown value 'float16' in 'models.llava.precision'"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_about_sources_are_told(case, tmp_path):
    old, new, message = MISTAKES[case]
    assert message in told(changed(old, new, STUDY), tmp_path)


def test_what_is_fetched_is_neither_generated_nor_trained(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    models = "{start: {path: a}, vanilla: {repo: org/v, revision: pin}}\n  idefics2: {start: {path: b}}"
    text = STUDY.replace("{start: {path: a/folder}}", models)
    (tmp_path / "study.yaml").write_text(text)
    study = read_study("study.yaml")
    assert study.benchmark.given == {"repo": "org/bench", "revision": COMMIT}
    files = listed("study.yaml")
    made = {path for path in files if path.endswith(("train.yaml", "fetch_model.yaml", "benchmark.yaml"))}
    assert made == {
        "data/study/fetch_benchmark.yaml",
        "results/study/llava/start/fetch_model.yaml",
        "results/study/llava/vanilla/fetch_model.yaml",
        "results/study/llava/seed0/forget10/retain_only/train.yaml",
        "results/study/idefics2/start/fetch_model.yaml",
        "results/study/idefics2/seed0/vanilla/train.yaml",
        "results/study/idefics2/seed0/forget10/retain_only/train.yaml",
    }
    assert "rehearsal" not in files["results/study/idefics2/seed0/vanilla/train.yaml"].settings["training"]
    pinned = {"repo": "org/v", "revision": "pin"}
    assert files["results/study/llava/vanilla/fetch_model.yaml"].settings == {"model": "llava", "source": pinned}
    attack = settings_of(study, "attack", model="llava", seed=0, method="vanilla")
    assert "membership" not in attack["robustness"] and "probe" in attack["robustness"]
    assert settings_of(study, "select_random", model="llava", seed=0, share=10)["loading"]["precision"] == "float32"

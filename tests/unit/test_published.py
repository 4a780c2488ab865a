"""The published files, in small: every configuration and every checkpoint is fetched, read and loaded as it is."""

import json
import shutil
from argparse import Namespace
from pathlib import Path

import huggingface_hub
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from safetensors import safe_open

import published
from manu.analysis.memorisation import memorised
from manu.core.errors import UserError
from manu.core.words import MODALITIES, SETS
from manu.data.mllmu import published_configs, read_training_data
from manu.data.reading import left_out, read_profiles
from manu.fetching.manifest import MANIFEST
from manu.models.checkpoint import load_model
from manu.models.registry import vlm_class
from manu.neurons.statistics.modality import ModalityStatistics
from manu.steps import check_memorisation, fetch_benchmark, fetch_model
from manu.unlearning.measured import measured
from manu.unlearning.registry import create_method

TEXTS = ["What is the pet of this person?", "The pet of Ada Lund is goose."]
COMMIT = "0123456789abcdef" * 2 + "01234567"


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mllmu")
    return published.mllmu_bench(folder / "hub", folder / "scratch", [5, 10])


def fetched_benchmark(folder: Path, out: Path, ratios: list[int], **config) -> dict:
    """The manifest that rule fetch_benchmark writes of a local folder."""
    content = {"source": {"path": str(folder)}, "forget_ratios": ratios, **config}
    fetch_benchmark.main(Namespace(out=out / MANIFEST), content)
    return json.loads((out / MANIFEST).read_text())


def test_every_configuration_of_mllmu_bench_is_taken_with_its_own_columns(bench, tmp_path):
    columns = {
        config: pq.read_schema(next((bench / config).glob("*.parquet"))).names for config in published_configs([5])
    }
    assert columns["Test_Set"] == ["ID", "images", "Classification_Task", "Generation_Task", "Mask_Task"]
    assert "Directory" in columns["Full_Set"] and "Directory" not in columns["forget_5"]
    manifest = fetched_benchmark(bench, tmp_path, [5, 10])
    assert {name.split("/")[0] for name in manifest["files"]} == set(published_configs([5, 10]))
    assert len(read_profiles(tmp_path, "Test_Set")) == 20 and read_profiles(tmp_path, "Test_Set")[0].image


def test_the_questions_that_cannot_be_used_stand_in_the_manifest_and_nowhere_else(bench, tmp_path):
    told = fetched_benchmark(bench, tmp_path, [5, 10])["left_out"]
    configs = [line.split(",")[0] for line in told]
    assert configs == ["retain_95", "retain_90"]  # everybody's questions are asked of these sets
    assert all("multimodal classification question 1: Correct_Answer is 'None of these'" in line for line in told)
    assert left_out(tmp_path, "forget_5") == []
    asked = [len(profile.questions) for profile in read_profiles(tmp_path, "retain_95")]
    assert sorted(asked) == [17, *[18] * 18]


def test_lessons_without_question_or_answer_are_not_taught(bench):
    assert {len(record.pairs) for record in read_training_data(bench)} == {4}


def test_a_missing_biography_is_told_only_where_names_are_read(bench, tmp_path):
    folder = shutil.copytree(bench, tmp_path / "hub")
    for config, right in (("Retain_Set", True), ("retain_95", False)):
        file = next((folder / config).glob("*.parquet"))
        pq.write_table(pq.read_table(file).drop_columns(["biography"]), file)
        if right:
            fetched_benchmark(folder, tmp_path / "out", [5])
        else:
            with pytest.raises(UserError, match="retain_95/.* column 'biography' is missing"):
                fetched_benchmark(folder, tmp_path / "out", [5])


def test_every_configuration_of_clear_is_taken(tmp_path):
    folder = published.clear_benchmark(tmp_path / "hub", tmp_path / "scratch", [5])
    manifest = fetched_benchmark(folder, tmp_path / "out", [5], format="clear")
    assert "left_out" not in manifest and len(manifest["files"]) == len(list(folder.iterdir()))


def fetched_model(name: str, folder: Path, out: Path, processor: Path | None = None) -> dict:
    """The manifest that rule fetch_model writes of a local folder."""
    config = {"model": name, "source": {"path": str(folder)}}
    fetch_model.main(Namespace(out=out / MANIFEST, processor=processor), config)
    return json.loads((out / MANIFEST).read_text())


@pytest.mark.parametrize("name", ["llava", "idefics2"])
def test_a_vanilla_model_without_a_processor_takes_that_of_its_start(name, tmp_path):
    start = published.checkpoint(tmp_path / "hub/start", name, TEXTS)
    vanilla = published.checkpoint(tmp_path / "hub/vanilla", name, TEXTS, torch.float32, processor=False, seed=1)
    with safe_open(start / "model-00001-of-00003.safetensors", framework="pt") as file:
        assert file.get_tensor(next(iter(file.keys()))).dtype == torch.float16
    assert fetched_model(name, start, tmp_path / "start").keys() == {"source", "revision", "folder", "files"}
    with pytest.raises(UserError, match="its processor cannot be loaded"):
        fetched_model(name, vanilla, tmp_path / "alone")
    manifest = fetched_model(name, vanilla, tmp_path / "vanilla", tmp_path / "start")
    assert manifest["processor"] == str(start)
    assert sorted(manifest["files"]) == sorted(file.name for file in vanilla.iterdir())
    models = [load_model({"model": name, "seed": 0}, tmp_path / which) for which in ("start", "vanilla")]
    ids = [vlm.prompt_ids("What is the pet of this person?", True) for vlm in models]
    assert ids[0] == ids[1]
    assert not torch.equal(*(vlm.model.get_output_embeddings().weight for vlm in models))  # each its own weights


def test_the_processor_is_checked_before_the_weights_are_downloaded(tmp_path, monkeypatch):
    folder = published.checkpoint(tmp_path / COMMIT, "llava", TEXTS, processor=False)
    asked = []

    def snapshot_download(repo, *, repo_type, revision, allow_patterns):
        asked.append(allow_patterns)
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    config = {"model": "llava", "source": {"repo": "MLLMMU/LLaVA_Vanilla", "revision": COMMIT}}
    with pytest.raises(UserError, match="its processor cannot be loaded"):
        fetch_model.main(Namespace(out=tmp_path / MANIFEST, processor=None), config)
    assert asked == [list(fetch_model.SETTINGS)]


@pytest.fixture
def llava(benchmark_folder):
    """A LLaVA with three vision layers, of which the last feeds nothing."""
    cls = vlm_class("llava")
    sizes = {"vision_width": 8, "vision_mlp": 6, "vision_heads": 2, "text_layers": 2, "text_width": 16, "text_mlp": 8}
    torch.manual_seed(0)
    vlm = cls.build(cls.architecture_class(**sizes, vision_layers=3, patch_size=32), TEXTS)
    vlm.model.eval()
    return vlm


def test_a_vision_layer_that_feeds_nothing_has_no_candidates_where_the_study_says_so(llava, benchmark_folder):
    live = {site.name: site.live for site in llava.mlp_sites()}
    assert live == {"language.0": True, "language.1": True, "vision.0": True, "vision.1": True, "vision.2": False}
    config = {"model": "llava", "seed": 0, "statistics": {"batch_size": 64, "tau": 0.1, "milestones": []}}
    for given, sites in ({}, list(live)), ({"idle_layers": False}, list(live)[:-1]):
        asked = config | {"statistics": config["statistics"] | given}
        statistics = measured(asked, llava, benchmark_folder, 10, ModalityStatistics.name)
        masks = create_method("manu", {"prune_ratio": 50}).select(statistics).masks
        assert list(masks) == list(statistics.widths) == sites


def test_only_the_layer_called_idle_changes_nothing(llava, benchmark_folder):
    image = read_profiles(benchmark_folder, "Full_Set")[0].image
    from manu.models.inputs import Example, Pictures, prompt_batch

    pictures = Pictures(llava)
    batch = prompt_batch(llava, [Example(llava.prompt_ids("What?", True), [], pictures.add(image, "x"))], pictures)
    changed = []
    with torch.no_grad():
        before = llava.model(**batch).logits
        for site in reversed([site for site in llava.mlp_sites() if site.part == "vision"]):
            site.second.bias.add_(torch.arange(8.0))  # the same for all units would vanish in the normalisation
            changed.append((site.live, not torch.equal(before, llava.model(**batch).logits)))
    assert changed == [(False, False), (True, True), (True, True)]


@pytest.mark.parametrize(("layer", "live"), [(-2, 2), (-1, 3), (2, 2), ([-3, -2], 2), ([-1, 1], 3)], ids=str)
def test_live_layers_follow_the_layer_that_is_read(layer, live, llava):
    llava.model.config.vision_feature_layer = layer
    assert llava.live_vision_layers == live


def answers(right: dict[str, float], method: str, ratios: tuple[int, ...] = (5, 10)) -> pd.DataFrame:
    """Ten answers a modality and task on forget, of which this share is right."""
    rows = []
    for ratio in ratios:
        for modality in MODALITIES:
            for task, share in right.items():
                for number in range(10):
                    score = float(number < round(10 * share))
                    row = {"study": "s", "model": "llava", "method": method, "forget_ratio": ratio, "seed": 0}
                    row |= {"split": "forget", "modality": modality, "task": task, "profile_id": f"p{number}"}
                    values = dict.fromkeys(("correct", "rouge1", "rouge2", "rougeL", "bleu"), np.nan)
                    values |= {"rougeL": share} if task == "generation" else {"correct": score}
                    rows.append(row | {"question_id": f"{modality}{task}{number}"} | values)
    return pd.DataFrame(rows)


BEFORE = {"classification": 0.3, "cloze": 0.0, "generation": 0.2}


def test_the_lead_is_the_difference_of_means_by_modality_and_task():
    after = {"classification": 0.5, "cloze": 0.3, "generation": 0.6}
    rows = memorised(answers(BEFORE, "start"), answers(after, "vanilla"))
    assert len(rows) == 2 * 2 * 3
    leads = rows.groupby("task")["lead"].unique().map(lambda each: pytest.approx(each[0])).to_dict()
    assert leads == {"classification": 0.2, "cloze": 0.3, "generation": 0.4}


def gate(folder: Path, after: dict[str, float], margin: float) -> dict:
    answers(BEFORE, "start").to_parquet(folder / "start.parquet")
    answers(after, "vanilla").to_parquet(folder / "vanilla.parquet")
    files = {name: folder / f"{name}.parquet" for name in ("start", "vanilla")}
    config = {"model": "llava", "seed": 0, "ratio": 10, "margin": margin}
    check_memorisation.main(Namespace(**files, out=folder / "gate.json"), config)
    return json.loads((folder / "gate.json").read_text())


def test_a_vanilla_model_that_learned_opens_the_gate(tmp_path):
    found = gate(tmp_path, {"classification": 0.5, "cloze": 0.3, "generation": 0.6}, margin=5)
    assert found == {"margin": 5} | {
        name: pytest.approx(value)
        for name, value in (("start", 100 * 0.5 / 3), ("vanilla", 100 * 1.4 / 3), ("lead", 30))
    }


def test_a_vanilla_model_that_learned_nothing_stops_the_study_with_both_numbers(tmp_path):
    said = (
        r"llava, seed 0: on the forget people vanilla reaches 20.0 and the model that it started from 16.7 points .*, "
        r"a lead of 3.3; 'memorisation.margin' asks for 5: train vanilla longer or at a higher rate"
    )
    with pytest.raises(UserError, match=said):
        gate(tmp_path, BEFORE | {"classification": 0.4}, margin=5)
    assert not (tmp_path / "gate.json").exists()


def test_sums_are_gathered_where_a_reader_expects_them(llava, benchmark_folder):
    config = {"model": "llava", "seed": 0, "statistics": {"batch_size": 64}}
    statistics = measured(config, llava, benchmark_folder, 10, "released")
    assert {tensor.device.type for tensor in statistics.tensors.values()} == {"cpu"}
    assert {key.split("/")[0] for key in statistics.tensors} == set(SETS)

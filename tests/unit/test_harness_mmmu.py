"""MMMU by the real lm-evaluation-harness on our models: its own tasks and scoring, a few questions of its layout."""

import argparse
import tomllib
from pathlib import Path

import pandas as pd
import pytest
import torch
from PIL import Image

from manu.core.errors import UserError
from manu.evaluation.harness import INSTALL, check_tasks, run_harness
from manu.neurons.masks import Mask, save_mask
from manu.neurons.selection import MLP_INPUT
from manu.steps import evaluate_harness

datasets = pytest.importorskip("datasets", reason=f"needs the extra mmmu: {INSTALL}")
pytest.importorskip("lm_eval", reason=f"needs the extra mmmu: {INSTALL}")

ROOT = Path(__file__).parents[2]
SUBJECTS = ("Art", "Art_Theory", "Design", "Music")  # those of the group mmmu_val_art_and_design
CHAT = {  # as in the released checkpoints
    "llava": "{% for message in messages %}{{ message['role'].upper() + ': ' }}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] + ' ' }}"
    "{% endfor %}{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}",
    "idefics2": "{% for message in messages %}{{ message['role'].capitalize() }}"
    "{% if message['content'][0]['type'] == 'image' %}{{ ':' }}{% else %}{{ ': ' }}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{ line['text'] }}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}",
}
ASKS = "Answer with the option's letter from the given choices directly."


def picture(number: int) -> Image.Image:
    return Image.new("RGBA" if number % 2 else "L", (40 + 10 * number, 40), 90 * number)


def question(split: str, subject: str, number: int) -> dict:
    """In MMMU's columns: the first question has one picture, the second one among its options, the third is open."""
    pictures = {f"image_{k}": picture(k + number) if k <= 1 + (number == 1) else None for k in range(1, 8)}
    return {
        "id": f"{split}_{subject}_{number}",
        "question": "<image 1> What is it?",
        "options": ["['red', 'blue']", "['red', '<image 2>', 'blue']", "[]"][number],
        "explanation": "",
        **pictures,
        "img_type": "['Photographs']",
        "answer": ["B", "C", "blue"][number],
        "topic_difficulty": "Easy",
        "question_type": "open" if number == 2 else "multiple-choice",
        "subfield": "x",
    }


@pytest.fixture(scope="session")
def mmmu(tmp_path_factory) -> Path:
    """A folder as the hub has MMMU, three questions a subject: the files behind links, as in the hub's cache."""
    blobs, folder = tmp_path_factory.mktemp("blobs"), tmp_path_factory.mktemp("mmmu")
    card = ["---", "configs:"]
    for subject in SUBJECTS:
        (folder / subject).mkdir()
        card += [f"- config_name: {subject}", "  data_files:"]
        for split in ("dev", "validation"):
            asked = [question(split, subject, number) for number in range(3)]
            kinds = {
                name: datasets.Image() if name.startswith("image_") else datasets.Value("string") for name in asked[0]
            }
            blob = blobs / f"{subject}-{split}"
            datasets.Dataset.from_list(asked, features=datasets.Features(kinds)).to_parquet(str(blob))
            (folder / subject / f"{split}-00000-of-00001.parquet").symlink_to(blob)
            card += [f"  - split: {split}", f"    path: {subject}/{split}-*"]
    (folder / "README.md").write_text("\n".join([*card, "---", ""]))
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.getbasetemp() / "datasets")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def ask(vlm, dataset: Path, folder: Path, **options) -> tuple[str, pd.DataFrame, pd.DataFrame]:
    """Run the stage on an adapter: the line it says, the scores and the answers."""
    vlm.save(folder / "checkpoint")
    tasks = {"tasks": ["mmmu_val_art_and_design"], "batch_size": 4}
    config = {"study": "s", "model": vlm.name, "method": "m", "ratios": [5, 10], "seed": 0, "harness": tasks}
    paths = {"scores": folder / "m.csv", "answers": folder / "m.parquet", "mask": None, **options}
    given = argparse.Namespace(dataset=dataset, checkpoint=folder / "checkpoint", **paths)
    said = evaluate_harness.main(given, config)
    return said, pd.read_csv(given.scores, dtype={"metric_version": str}), pd.read_parquet(given.answers)


def test_mmmu_of_a_model_and_of_the_model_under_a_mask(vlm, mmmu, tmp_path):
    vlm.processor.chat_template = CHAT[vlm.name]  # the checkpoint keeps it
    said, scores, answers = ask(vlm, mmmu, tmp_path)
    assert "12 questions of 4 tasks answered, through the chat template" in said
    names = ["mmmu_val_art_and_design", *(f"mmmu_val_{subject.lower()}" for subject in SUBJECTS)]
    assert set(scores["task"]) == set(names) and len(scores) == 2 * len(names)  # at either forget ratio
    assert set(scores["metric"]) == {"acc"} and scores["higher_is_better"].all()
    pin = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["mmmu"]
    assert {each.replace(" ", "==") for each in scores["harness"]} <= set(pin)
    for task, value, n in scores[["task", "value", "n"]].itertuples(index=False):
        behind = answers[
            (answers["forget_ratio"] == 5) & answers["task"].isin(names[1:] if task == names[0] else [task])
        ]
        assert n == len(behind) and value == pytest.approx(behind["value"].mean(), abs=1e-6)

    first, second, third = answers[answers["task"] == "mmmu_val_art"]["prompt"][:3]
    assert [each.count("<image>") for each in (first, second, third)] == [1, 2, 1]
    assert first.startswith({"llava": "USER: <image>\n", "idefics2": "User:<image>"}[vlm.name])
    assert first.endswith(
        {"llava": f"{ASKS} ASSISTANT:", "idefics2": f"{ASKS}<end_of_utterance>\nAssistant:"}[vlm.name]
    )
    assert "(A) red\n(B) blue" in first and "Answer the question using a single word or phrase." in third

    everything = {site.name: torch.ones(site.width, dtype=torch.bool) for site in vlm.mlp_sites()}
    save_mask(tmp_path / "mask.safetensors", Mask(everything, MLP_INPUT))
    _, _, pruned = ask(vlm, mmmu, tmp_path, mask=tmp_path / "mask.safetensors", answers=tmp_path / "p.parquet")
    assert pruned["prompt"].equals(answers["prompt"]) and not pruned["reply"].equals(answers["reply"])


def test_a_reply_is_the_models_own_and_the_first_questions_alone_are_asked(vlm, mmmu):
    settings = {"tasks": ["mmmu_val_art"], "batch_size": 1, "limit": 2, "max_images": 1}
    returned = run_harness(vlm, mmmu, settings)  # without a chat template
    assert list(returned["samples"]) == ["mmmu_val_art"]
    first, second = returned["samples"]["mmmu_val_art"]
    prompt = f"<image> What is it?\n\n(A) red\n(B) blue\n\n{ASKS}"
    assert first["arguments"][0][0] == prompt
    batch = vlm.processor(images=[[picture(1).convert("RGB")]], text=[prompt], return_tensors="pt")
    with torch.inference_mode():
        ids = vlm.model.generate(**batch, do_sample=False, max_new_tokens=512, eos_token_id=vlm.end_token)
    own = vlm.tokenizer.decode(ids[0, batch["input_ids"].shape[1] :], skip_special_tokens=True)
    assert first["resps"][0][0] == own.split("</s>")[0]
    assert second["arguments"][0][0].count("<image>") == 2  # and one picture is shown


def test_a_task_that_is_none_is_told_with_the_nearest():
    with pytest.raises(UserError, match="the harness has no task 'mmmu_vall'; similar names: mmmu_val"):
        check_tasks(["mmmu_val", "mmmu_vall"])

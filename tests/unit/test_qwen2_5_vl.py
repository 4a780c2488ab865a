"""Qwen2.5-VL: pictures of several tokens and windows, the original's logits, the files of a released checkpoint."""

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VLForConditionalGeneration as Original

from manu.attacks.probing import hidden_states
from manu.contract import material
from manu.contract import model as contract
from manu.contract.model import Subject
from manu.core.words import MODALITIES
from manu.models.inputs import Example, Pictures, prompt_batch
from manu.models.loading import prepare_torch
from manu.models.qwen2_5_vl import IMAGE, MODEL, SIDE, Qwen25VlArchitecture

LARGER = material.SIZES | {"patch_size": 4, "window_size": 16}  # 16 tokens, 4 windows


@pytest.fixture
def subject(benchmark_folder, monkeypatch, tmp_path):
    """Small models with pictures of several tokens and windows, in which a picture's positions are not its tokens'."""
    monkeypatch.setattr(material, "SIZES", LARGER)
    return Subject(MODEL.name, material.Material(tmp_path))


@pytest.mark.parametrize("point", ["padding", "options", "silencing", "activations", "learning"])
def test_the_contract_holds_for_pictures_of_several_tokens(point, subject):
    getattr(contract, point)(subject)


def picture(width: int, height: int) -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, format="PNG")
    return buffer.getvalue()


def test_logits_are_the_originals_which_reads_the_saved_folder(subject, tmp_path):
    vlm = subject.vlm()
    pictures = Pictures(vlm)
    rows = [pictures.add(picture(*size), "here") for size in ((32, 32), (40, 64))]
    questions = ("Who is this?", "Who in the world is this?")
    prompts = [Example(vlm.prompt_ids(question, True), [], row) for question, row in zip(questions, rows, strict=True)]
    batch = prompt_batch(vlm, prompts, pictures)
    assert batch["pixel_values"].shape == (2, 64, 3 * 2 * 4 * 4) and batch["image_grid_thw"].tolist() == [[1, 8, 8]] * 2
    vlm.save(tmp_path / "saved")
    original = Original.from_pretrained(tmp_path / "saved").eval()
    flat = batch | {"pixel_values": batch["pixel_values"].flatten(0, 1)}
    flat["mm_token_type_ids"] = (batch["input_ids"] == vlm.tokenizer.convert_tokens_to_ids(IMAGE)).int()
    with torch.no_grad():
        assert torch.equal(vlm.model(**batch).logits, original(**flat).logits)
    said = [
        model.generate(**each, max_new_tokens=6, do_sample=False)
        for model, each in ((vlm.model, batch), (original, flat))
    ]
    assert torch.equal(*said)


def test_pictures_as_the_processor_alone_makes_them(subject, tmp_path):
    """lm-evaluation-harness shows them so: whatever their sizes, all patches in one row."""
    vlm = subject.vlm()
    vlm.processor.image_processor.size = {"shortest_edge": 16 * 16, "longest_edge": 64 * 64}
    shown = [Image.open(io.BytesIO(picture(*size))) for size in ((32, 24), (40, 64))]
    layouts = [vlm.layout(question, True, None) for question in ("Who is this?", "Who in the world is this?")]
    made = vlm.processor(images=shown, text=layouts, padding=True, padding_side="left", return_tensors="pt")
    assert made["image_grid_thw"].tolist() == [[1, 6, 8], [1, 16, 10]]
    vlm.save(tmp_path / "saved")
    original = Original.from_pretrained(tmp_path / "saved").eval()
    said = [model.generate(**made, max_new_tokens=6, do_sample=False) for model in (vlm.model, original)]
    assert torch.equal(*said)


def test_the_probe_reads_states_at_the_models_own_places(subject):
    vlm = subject.vlm()
    asked = [question for question in subject.asked() if question.image is not None][:2]
    read = hidden_states(vlm, asked, ["", ""], batch_size=2)
    for question, state in zip(asked, read, strict=True):
        pictures = Pictures(vlm)
        alone = Example(vlm.prompt_ids(question.prompt, True), [], pictures.add(question.image, "here"))
        with torch.no_grad():
            plain = vlm.model(**prompt_batch(vlm, [alone], pictures), output_hidden_states=True)
        np.testing.assert_allclose(state, plain.hidden_states[-1][0, -1].double(), atol=1e-4)


def test_a_checkpoint_in_the_released_layout_is_read(subject, tmp_path):
    """Weights by their older names, as they are saved too; sizes of the text side at the top of config.json; a part for
    videos."""
    vlm = subject.vlm()
    folder = tmp_path / "released"
    vlm.save(folder)
    with safe_open(folder / "model.safetensors", framework="pt") as weights:
        names = list(weights.keys())
    assert {name.partition(".")[0] for name in names} == {"model", "visual"}
    assert not any("language_model" in name for name in names)
    config = json.loads((folder / "config.json").read_text())
    text = config.pop("text_config")
    rope = text.pop("rope_parameters")
    text |= {
        "rope_theta": rope["rope_theta"],
        "rope_scaling": {"type": "mrope", "mrope_section": rope["mrope_section"]},
    }
    (folder / "config.json").write_text(json.dumps(text | config))
    processor = json.loads((folder / "processor_config.json").read_text())
    images = processor["image_processor"] | {"image_processor_type": "Qwen2VLImageProcessorFast"}
    videos = images | {"video_processor_type": "Qwen2VLVideoProcessor"}
    (folder / "preprocessor_config.json").write_text(json.dumps(images))
    (folder / "video_preprocessor_config.json").write_text(json.dumps(videos))
    (folder / "processor_config.json").unlink()
    again = MODEL.load(folder)
    for modality in MODALITIES:
        batch = subject.batch(vlm, modality)
        assert torch.equal(material.logits(vlm.model, batch), material.logits(again.model, batch))
    assert vlm.prompt_ids("Who?", True) == again.prompt_ids("Who?", True)


def test_the_files_of_a_released_checkpoint_are_read(tmp_path):
    prepare_torch(0)
    sizes = {key: value for key, value in material.SIZES.items() if key.startswith(("text", "vision"))}
    vlm = MODEL.build(Qwen25VlArchitecture(image_size=56, patch_size=14, window_size=56, **sizes), ["Who?"])
    folder = tmp_path / "released"
    vlm.save(folder)
    (folder / "processor_config.json").unlink()
    released = {
        "min_pixels": 3136,
        "max_pixels": 12845056,
        "patch_size": 14,
        "temporal_patch_size": 2,
        "merge_size": 2,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "image_processor_type": "Qwen2VLImageProcessor",
        "processor_class": "Qwen2_5_VLProcessor",
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(released))
    again = MODEL.load(folder)
    assert again.picture_side == SIDE == 448
    assert len(again.prompt_ids("Who?", True)) - len(again.prompt_ids("Who?", False)) == 256 + 2
    pixels = again.pixels([Image.open(io.BytesIO(picture(500, 300)))])
    assert pixels["pixel_values"].shape == (1, 32 * 32, 3 * 2 * 14 * 14)

"""What every architecture does beyond the contract (test_contract.py): labels, sites, errors."""

import pytest
import torch

from manu.core.errors import UserError
from manu.data.reading import read_profiles
from manu.models.base import read_architecture
from manu.models.inputs import Example, Pictures, training_batch
from manu.models.registry import known_models, vlm_class
from manu.neurons.activations import record_activations


@pytest.fixture
def pictures(vlm, benchmark_folder):
    table = Pictures(vlm)
    for profile in read_profiles(benchmark_folder, "Full_Set")[:3]:
        table.add(profile.image, profile.id)
    return table


def batch_of(vlm, pictures, with_image=True):
    prompt = vlm.prompt_ids("What is the pet of this person?", with_image)
    return training_batch(
        vlm,
        [
            Example(prompt, vlm.answer_ids(answer), row if with_image else None)
            for row, answer in enumerate(["The pet of Ada is goose.", "No."])
        ],
        pictures,
    )


def test_a_folder_without_weights_is_told(vlm, tmp_path):
    with pytest.raises(UserError, match="model.safetensors is missing"):
        type(vlm).load(tmp_path)


def test_labels_cover_the_answer_and_its_end_only(vlm, pictures):
    batch = batch_of(vlm, pictures)
    for row, answer in enumerate(["The pet of Ada is goose.", "No."]):
        kept = batch["labels"][row][batch["labels"][row] != -100]
        assert kept.tolist() == vlm.answer_ids(answer)
        assert kept[-1] == vlm.end_token
        assert torch.equal(batch["input_ids"][row][batch["labels"][row] != -100], kept)


def test_mlp_sites_see_what_flows_into_the_second_layer(vlm, pictures):
    seen = {}
    with torch.no_grad(), record_activations(vlm.mlp_sites(), lambda site, z: seen.setdefault(site.name, z.shape)):
        vlm.model(**batch_of(vlm, pictures))
    assert list(seen) and set(seen) == {s.name for s in vlm.mlp_sites()}
    assert all(seen[s.name][-1] == s.width for s in vlm.mlp_sites())
    seen.clear()
    with torch.no_grad(), record_activations(vlm.mlp_sites(), lambda site, z: seen.setdefault(site.name, z.shape)):
        vlm.model(**batch_of(vlm, pictures, with_image=False))
    assert {name.split(".")[0] for name in seen} == {"language"}


def test_one_batch_holds_one_modality(vlm, pictures):
    with pytest.raises(ValueError, match="one modality"):
        training_batch(vlm, [Example([1], [2], 0), Example([1], [2], None)], pictures)


def test_broken_picture_is_named(vlm):
    with pytest.raises(UserError, match="ID 9: the image bytes are not a readable picture"):
        Pictures(vlm).add(b"no picture", "ID 9")


def test_registry_and_architecture_errors():
    assert {"llava", "idefics2"} <= set(known_models())
    with pytest.raises(UserError, match="unknown model 'lava'; known: idefics2, llava"):
        vlm_class("lava")
    sizes = vlm_class("llava").architecture_class
    with pytest.raises(UserError, match="unknown key 'widht'; known: image_size"):
        read_architecture(sizes, {"widht": 3}, "models.llava.architecture")
    with pytest.raises(UserError, match="text_mlp: 'big' is not a positive whole number"):
        read_architecture(sizes, {"text_mlp": "big"}, "models.llava.architecture")

"""Curricula and the training loop."""

import numpy as np
import pytest
import torch

from manu.core.errors import UserError
from manu.data.profiles import TrainingRecord
from manu.data.reading import read_names, read_training_data
from manu.models.inputs import with_answer
from manu.training.dataset import TrainingSet
from manu.training.loop import Diverged, Optimisation, fit
from manu.training.losses import answer_cross_entropy
from manu.training.restriction import restricted


def lessons_of(folder, people):
    ids = sorted(read_names(folder))[:people]
    return [x for x in read_training_data(folder) if x.id in ids]


def test_an_epoch_sees_every_pair_once_in_batches_of_one_modality(vlm, benchmark_folder):
    training_set = TrainingSet(vlm).add(lessons_of(benchmark_folder, 3), read_names(benchmark_folder))
    pairs = len(lessons_of(benchmark_folder, 1)[0].pairs)
    batches = list(training_set.epoch(8, np.random.default_rng(0)))
    rows = {m: sum(len(b["labels"]) for n, b in batches if n == m) for m in ("multimodal", "text")}
    # Two portraits of each person, but each question once; who-is-this is asked with the picture alone.
    assert rows == {"multimodal": 3 * pairs, "text": 3 * (pairs - 1)}
    assert len(batches) == training_set.batches_per_epoch(8)
    assert all(("pixel_values" in batch) == (modality == "multimodal") for modality, batch in batches)


def test_paired_lessons_are_asked_alike_in_both_modalities(vlm, benchmark_folder):
    lessons = lessons_of(benchmark_folder, 2)
    training_set = TrainingSet(vlm).add(lessons, read_names(benchmark_folder), paired=True)
    asked = 2 * (len(lessons[0].pairs) - 1)  # everything but who-is-this
    assert [training_set.batches_per_epoch(1, m) for m in ("multimodal", "text")] == [asked, asked]


def test_rehearsal_draws_its_share_anew(vlm, benchmark_folder):
    known, others = lessons_of(benchmark_folder, 1), lessons_of(benchmark_folder, 4)[2:]
    names = read_names(benchmark_folder)
    training_set = TrainingSet(vlm, ("multimodal",)).add(known, names).add(others, names, share=0.25)
    pairs = len(known[0].pairs)
    size = sum(len(b["labels"]) for _, b in training_set.epoch(8, np.random.default_rng(0)))
    assert size == pairs + round(0.25 * len({x.id for x in others}) * pairs)


def test_the_same_seed_gives_the_same_batches(vlm, benchmark_folder):
    training_set = TrainingSet(vlm).add(lessons_of(benchmark_folder, 2), read_names(benchmark_folder))
    one, two = ([b for _, b in training_set.epoch(8, np.random.default_rng(5))] for _ in range(2))
    assert all(torch.equal(a[k], b[k]) for a, b in zip(one, two, strict=True) for k in a)


def test_nothing_to_teach_is_an_error(vlm, benchmark_folder):
    picture = lessons_of(benchmark_folder, 1)[0].image
    with pytest.raises(UserError, match="no question is left for the modalities text"):
        TrainingSet(vlm, ("text",)).add(
            [TrainingRecord("x", picture, (("Who is this person?", "Ada."),))], {"x": "Ada"}
        )


def test_training_lowers_the_loss_and_is_reproducible(vlm, benchmark_folder):
    training_set = TrainingSet(vlm).add(lessons_of(benchmark_folder, 2), read_names(benchmark_folder))
    start = {k: v.clone() for k, v in vlm.model.state_dict().items()}
    runs = []
    for _ in range(2):
        vlm.model.load_state_dict(start)
        rng = np.random.default_rng(0)
        batches = [b for _ in range(4) for _, b in training_set.epoch(8, rng)]
        runs.append(fit(vlm.model, batches, lambda b: vlm.model(**b).loss, Optimisation(3e-3, len(batches))))
    assert runs[0] == runs[1]
    assert np.mean(runs[0][-5:]) < 0.8 * np.mean(runs[0][:5])


def test_a_loss_that_is_no_number_stops_the_training():
    model = torch.nn.Linear(1, 1)
    with pytest.raises(Diverged, match="step 2: the loss is nan"):
        fit(
            model,
            [1.0, 1.0, float("nan")],
            lambda scale: (model.weight * scale).sum(),
            Optimisation(1e-3, 3, schedule="linear"),
        )


def test_linear_schedule_starts_at_the_peak_and_ends_at_zero():
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.4)
    schedule = Optimisation(0.4, 4, schedule="linear").scheduler(optimiser)
    rates = []
    for _ in range(4):
        rates.append(schedule.get_last_lr()[0])
        optimiser.step()
        schedule.step()
    assert rates == pytest.approx([0.4, 0.3, 0.2, 0.1])
    with pytest.raises(ValueError, match="known: one_cycle, linear, constant"):
        Optimisation(0.4, 4, schedule="cosine").scheduler(optimiser)


def test_answer_cross_entropy_is_the_models_own_loss(vlm, benchmark_folder):
    """Against transformers' loss on the same labels, although the head predicts the answers' columns only."""
    training_set = TrainingSet(vlm).add(lessons_of(benchmark_folder, 2), read_names(benchmark_folder))
    for _, (_, batch) in zip(range(4), training_set.epoch(8, np.random.default_rng(1)), strict=False):
        theirs = vlm.model(**batch).loss
        assert answer_cross_entropy(vlm.model, batch).item() == pytest.approx(theirs.item(), rel=1e-5)


def two_layers() -> torch.nn.Sequential:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))


def test_weights_outside_the_masks_keep_their_bytes():
    model = two_layers()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    mask = torch.tensor([[True, False], [False, True]])
    fit(model, [torch.ones(3, 2)] * 4, lambda x: model(x).square().sum(), Optimisation(0.1, 4), {"0.weight": mask})
    after = model.state_dict()
    assert torch.equal(before["0.weight"] != after["0.weight"], mask)
    assert all(torch.equal(before[name], after[name]) for name in ("0.bias", "1.weight", "1.bias"))


def test_a_restriction_ends_with_its_block():
    model = two_layers()
    with pytest.raises(Diverged), restricted(model, {"0.bias": torch.tensor([True, False])}):
        assert [name for name, weight in model.named_parameters() if weight.requires_grad] == ["0.bias"]
        raise Diverged("as a training would")
    model(torch.ones(1, 2)).sum().backward()
    assert all((weight.grad != 0).all() for weight in model.parameters())


def test_masks_that_cannot_hold_are_refused():
    model = two_layers()
    with pytest.raises(ValueError, match=r"masks of \['2.weight'\]"), restricted(model, {"2.weight": torch.ones(1)}):
        pass
    with pytest.raises(ValueError, match="weight_decay 0.1 would move"):
        fit(model, [], lambda x: x, Optimisation(0.1, 1, weight_decay=0.1), {"0.bias": torch.ones(2)})


def test_the_same_prompts_with_another_answer(vlm, benchmark_folder):
    training_set = TrainingSet(vlm, ("multimodal",)).add(lessons_of(benchmark_folder, 2), read_names(benchmark_folder))
    batch = next(training_set.stream("multimodal", 5, np.random.default_rng(0)))
    answer = vlm.answer_ids("I don't know.")
    assert vlm.tokenizer.unk_token_id not in answer  # the tokenizer falls back to bytes
    refused = with_answer(vlm, batch, answer)
    assert torch.equal(refused["pixel_values"], batch["pixel_values"])
    rows = (batch["labels"], refused["input_ids"], refused["labels"], refused["attention_mask"])
    for old, new, labels, real in zip(*rows, strict=True):
        prompt = (old != -100).nonzero()[0].item()
        assert labels[labels != -100].tolist() == answer == new[prompt : prompt + len(answer)].tolist()
        assert real.sum() == prompt + len(answer)
    assert torch.equal(with_answer(vlm, refused, answer)["input_ids"], refused["input_ids"])

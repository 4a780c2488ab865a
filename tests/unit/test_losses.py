"""Losses with logits that a hand can read, and the direction in which each one pushes."""

import math
from types import SimpleNamespace

import pytest
import torch
from tiny_model import TinyModel
from torch import nn

from manu.training.losses import answer_cross_entropy, answer_log_likelihood, answer_tokens
from manu.unlearning.base import Batches
from manu.unlearning.dpo import DirectPreferenceOptimization
from manu.unlearning.ga import GradientAscent
from manu.unlearning.gradient_difference import GradientDifference
from manu.unlearning.gradient_difference_paired import PairedGradientDifference
from manu.unlearning.kl import KLMinimization
from manu.unlearning.kl_paired import PairedKLMinimization
from manu.unlearning.mmunlearner import MMUnlearner
from manu.unlearning.npo import NegativePreferenceOptimization
from manu.unlearning.prompting import Prompting
from manu.unlearning.recover import Recover
from manu.unlearning.rmu import RepresentationMisdirection
from manu.unlearning.task_arithmetic import TaskArithmetic
from manu.unlearning.undial import SelfDistillation

SETTINGS = {"learning_rate": 1e-3, "epochs": 1, "batch_size": 2}


class TableModel(nn.Module):
    """Logits looked up by the current token: row t holds the logits of the token after t."""

    def __init__(self, table: list[list[float]]):
        super().__init__()
        self.table = nn.Parameter(torch.tensor(table, dtype=torch.float32))

    def forward(self, input_ids, attention_mask, logits_to_keep):
        return SimpleNamespace(logits=self.table[input_ids[:, logits_to_keep]])


class StateModel(nn.Module):
    """Four layers whose states are looked up by the current token: row t of a table is the state at token t."""

    def __init__(self, *tables: list[list[float]]):
        super().__init__()
        self.tables = [torch.tensor(table) for table in tables]

    def forward(self, input_ids, attention_mask, logits_to_keep, output_hidden_states):
        return SimpleNamespace(hidden_states=tuple(table[input_ids] for table in self.tables))


def batch(*rows: tuple[list[int], int]) -> dict[str, torch.Tensor]:
    """Rows of (tokens, number of answer tokens at the end)."""
    input_ids = torch.tensor([tokens for tokens, _ in rows])
    labels = torch.full_like(input_ids, -100)
    for row, (tokens, answer) in enumerate(rows):
        labels[row, len(tokens) - answer :] = input_ids[row, len(tokens) - answer :]
    return {"input_ids": input_ids, "attention_mask": torch.ones_like(input_ids), "labels": labels}


# After token 0: probabilities 1/4 and 3/4; after token 1: 1/2 and 1/2.
TABLE = [[0.0, math.log(3)], [0.0, 0.0]]
FORGET = batch(([1, 0, 1], 1), ([0, 1, 0], 2))  # answers: 1 after 0; 1 after 0, then 0 after 1
RETAIN = batch(([0, 0, 0], 1))  # 0 after 0
P_FORGET = [3 / 4, 3 / 4 * 1 / 2]  # likelihood of each whole answer


def test_only_answer_tokens_are_predicted_each_from_the_token_before():
    answer = answer_tokens(TableModel(TABLE), FORGET)
    assert answer.targets.tolist() == [1, 1, 0]
    assert answer.rows.tolist() == [0, 1, 1]
    torch.testing.assert_close(answer.logits, torch.tensor([TABLE[0], TABLE[0], TABLE[1]]))


def test_cross_entropy_is_the_mean_over_answer_tokens():
    expected = -(math.log(3 / 4) + math.log(3 / 4) + math.log(1 / 2)) / 3
    assert answer_cross_entropy(TableModel(TABLE), FORGET).item() == pytest.approx(expected)


def test_log_likelihood_is_the_sum_over_a_samples_answer():
    values = answer_log_likelihood(TableModel(TABLE), FORGET).tolist()
    assert values == pytest.approx([math.log(p) for p in P_FORGET])


def test_a_sample_without_answer_stops():
    with pytest.raises(ValueError, match=r"samples \[1\] of the batch have no answer token"):
        answer_tokens(TableModel(TABLE), batch(([0, 1], 1), ([0, 1], 0)))


def test_ga_is_minus_the_cross_entropy_and_makes_the_answer_less_likely():
    model = TableModel(TABLE)
    loss = GradientAscent(**SETTINGS).loss(model, Batches(FORGET), None)
    assert loss.item() == pytest.approx((2 * math.log(3 / 4) + math.log(1 / 2)) / 3)
    assert likelihood_change(model, loss, FORGET) < 0


CE_FORGET, CE_RETAIN = -(2 * math.log(3 / 4) + math.log(1 / 2)) / 3, -math.log(1 / 4)


def test_gradient_difference_ascends_on_forget_and_then_descends_on_retain():
    method = GradientDifference(**SETTINGS)
    for batches, data, expected in (
        (Batches(forget=FORGET), FORGET, -CE_FORGET),
        (Batches(retain=RETAIN), RETAIN, CE_RETAIN),
    ):
        model = TableModel(TABLE)
        loss = method.loss(model, batches, None)
        assert loss.item() == pytest.approx(expected)
        assert (likelihood_change(model, loss, data) > 0) == batches.has("retain")


def test_the_paired_gradient_difference_adds_the_two():
    model = TableModel(TABLE)
    loss = PairedGradientDifference(**SETTINGS).loss(model, Batches(FORGET, RETAIN), None)
    assert loss.item() == pytest.approx(CE_RETAIN - CE_FORGET)
    assert likelihood_change(model, loss, FORGET) < 0
    assert likelihood_change(model, loss, RETAIN) > 0


TWO_TOKENS = batch(([0, 0, 0], 2), ([0, 0, 0], 1))  # answers on retain of two tokens and of one, each 0 after 0
KL_OF_A_TOKEN = 1 / 4 * math.log((1 / 4) / (1 / 2)) + 3 / 4 * math.log((3 / 4) / (1 / 2))  # from vanilla to uniform


def test_kl_on_retain_is_cross_entropy_and_the_divergence_per_answer():
    model, vanilla = TableModel([[0.0, 0.0], [0.0, 0.0]]), TableModel(TABLE)
    method = KLMinimization(**SETTINGS)
    loss = method.loss(model, Batches(retain=TWO_TOKENS), vanilla)
    assert loss.item() == pytest.approx(math.log(2) + 3 * KL_OF_A_TOKEN / 2)  # three tokens, two answers
    loss.backward()
    assert vanilla.table.grad is None
    ascent = method.loss(model, Batches(forget=FORGET), vanilla)
    assert ascent.item() == pytest.approx(-math.log(2))  # CE of the uniform model is log 2


def test_the_paired_kl_is_the_divergence_per_token_alone():
    model, vanilla = TableModel([[0.0, 0.0], [0.0, 0.0]]), TableModel(TABLE)
    loss = PairedKLMinimization(**SETTINGS).loss(model, Batches(FORGET, TWO_TOKENS), vanilla)
    assert loss.item() == pytest.approx(KL_OF_A_TOKEN - math.log(2))


def test_the_paired_kl_at_the_vanilla_model_is_gradient_ascent():
    model = TableModel(TABLE)
    loss = PairedKLMinimization(**SETTINGS).loss(model, Batches(FORGET, RETAIN), TableModel(TABLE))
    ga = GradientAscent(**SETTINGS).loss(TableModel(TABLE), Batches(FORGET), None)
    assert loss.item() == pytest.approx(ga.item())


def test_npo_at_the_reference_is_two_over_beta_log_two():
    loss = NegativePreferenceOptimization(**SETTINGS).loss(TableModel(TABLE), Batches(FORGET), TableModel(TABLE))
    assert loss.item() == pytest.approx(2 / 0.4 * math.log(2))


def test_npo_by_hand():
    model, reference = TableModel(TABLE), TableModel([[0.0, 0.0], [0.0, 0.0]])
    loss = NegativePreferenceOptimization(**SETTINGS, beta=0.5).loss(model, Batches(FORGET), reference)
    ratios = [P_FORGET[0] / (1 / 2), P_FORGET[1] / (1 / 4)]  # 1.5 and 1.5: the second answer has two tokens
    assert ratios == [1.5, 1.5]
    assert loss.item() == pytest.approx(4 * math.log(1 + math.sqrt(1.5)))
    assert likelihood_change(model, loss, FORGET) < 0
    assert reference.table.grad is None


def test_npo_stays_finite_where_the_ratio_would_overflow():
    far = TableModel([[0.0, 400.0], [400.0, 0.0]])
    reference = TableModel([[400.0, 0.0], [0.0, 400.0]])
    loss = NegativePreferenceOptimization(**SETTINGS).loss(far, Batches(FORGET), reference)
    assert loss.item() == pytest.approx(2 * (400 + 800) / 2)  # (2 / beta) * beta * mean log-ratio
    loss.backward()
    assert far.table.grad.isfinite().all()
    other_way = NegativePreferenceOptimization(**SETTINGS).loss(reference, Batches(FORGET), far)
    assert other_way.item() == pytest.approx(0, abs=1e-6)  # already forgotten: nothing left to push


def test_undial_learns_from_the_reference_with_the_answers_logit_lowered():
    method = SelfDistillation(**SETTINGS, gamma=math.log(3))
    model, reference = TableModel([[0.0, 0.0], [0.0, 0.0]]), TableModel(TABLE)
    loss = method.loss(model, Batches(batch(([1, 0, 1], 1))), reference)
    assert loss.item() == pytest.approx(math.log(2))  # to a uniform model every teacher's distance is log 2
    model = TableModel(TABLE)
    loss = method.loss(model, Batches(batch(([1, 0, 1], 1))), reference)
    # After token 0 the teacher's logits are 0 and log 3 - log 3: it teaches 1/2 and 1/2.
    assert loss.item() == pytest.approx(-(math.log(1 / 4) + math.log(3 / 4)) / 2)
    assert likelihood_change(model, loss, FORGET) < 0
    loss.backward()
    assert reference.table.grad is None


def test_dpo_by_hand():
    refusal = batch(([1, 0, 0], 1), ([0, 0, 0], 2))  # likelihoods 1/4 and 1/16
    model, reference = TableModel(TABLE), TableModel([[0.0, 0.0], [0.0, 0.0]])
    batches = Batches(FORGET, refusal=refusal)
    loss = DirectPreferenceOptimization(**SETTINGS, beta=0.5).loss(model, batches, reference)
    # r(answer) is 1.5 for both; r(refusal) is (1/4) / (1/2) and (1/16) / (1/4): log(1 + (r(answer) / r(refusal))^beta)
    assert loss.item() == pytest.approx((math.log(1 + math.sqrt(3)) + math.log(1 + math.sqrt(6))) / 2)
    assert likelihood_change(model, loss, FORGET) < 0 < likelihood_change(model, loss, refusal)
    assert reference.table.grad is None
    at_reference = DirectPreferenceOptimization(**SETTINGS).loss(model, batches, TableModel(TABLE))
    assert at_reference.item() == pytest.approx(math.log(2))


def test_task_arithmetic_learns_then_goes_the_other_way():
    method, tuned, vanilla = TaskArithmetic(**SETTINGS, scaling=0.5), TableModel(TABLE), TableModel(TABLE)
    loss = method.loss(tuned, Batches(FORGET), vanilla)
    assert loss.item() == answer_cross_entropy(tuned, FORGET).item()
    assert likelihood_change(tuned, loss, FORGET) > 0
    tuned, vanilla = TableModel([[3.0, 1.0]]), TableModel([[1.0, 1.0]])
    method.finish(tuned, vanilla)
    assert tuned.table.tolist() == [[0.0, 1.0]]  # 1 - 0.5 * (3 - 1), and what did not change
    assert vanilla.table.tolist() == [[1.0, 1.0]]


def test_rmu_by_hand():
    method = RepresentationMisdirection(**SETTINGS, coefficient=10.0, alpha=2.0, depth=0.5)  # layer 2 of 4
    other = [[9.0, 9.0], [9.0, 9.0]]
    model = StateModel(other, other, [[0.0, 0.0], [3.0, 4.0]], other, other)
    reference = StateModel(other, other, [[1.0, 0.0], [3.0, 4.0]], other, other)
    forget, retain = batch(([0, 1, 1], 1)), batch(([0, 1], 1))
    forget["attention_mask"][0, 2] = 0  # padding
    u = torch.rand(2, generator=torch.Generator().manual_seed(0))
    along = (u[0] * 3 + u[1] * 4).item() / u.norm().item()
    misled = (100 + (25 - 2 * 10 * along + 100)) / 2  # |0 - 10 u|^2 and |(3, 4) - 10 u|^2
    held = (1 + 0) / 2  # token 0 lies 1 off the reference, token 1 on it
    assert method.loss(model, Batches(forget, retain), reference).item() == pytest.approx(misled + 2 * held, rel=1e-5)


@pytest.mark.parametrize(("layers", "depth", "trained"), [(4, 0.25, [0]), (8, 0.5, [1, 2, 3]), (32, 0.25, [5, 6, 7])])
def test_rmu_trains_the_steered_layer_and_the_two_before_it(layers, depth, trained):
    model = TinyModel(layers=layers)
    masks = RepresentationMisdirection(**SETTINGS, depth=depth).restrict(model, model.mlp_sites(), [])
    assert list(masks) == [f"language.{layer}.down_proj.weight" for layer in trained]
    assert all(mask.all() for mask in masks.values())


def test_mmunlearner_masks_what_matters_more_to_forget():
    model = TableModel(TABLE)
    after_0, after_1 = batch(([0, 1], 1)), batch(([1, 0], 1))
    # d CE / d logits is p - answer: (1/4, -1/4) after 0 for token 1, (-3/4, 3/4) for token 0, +-1/2 after 1.
    epoch = [Batches(after_0, RETAIN, knowledge=after_1), Batches(after_1, RETAIN, knowledge=after_1)]
    # forget: after 0 (1/16 + 0) / 2, after 1 (0 + 1/4) / 2; kept: after 0 (9/16 + 0) / 2, after 1 (0 + 1/4) / 2
    for threshold, salient in ((0.9, [[False] * 2, [True] * 2]), (1.1, [[False] * 2] * 2), (0.1, [[True] * 2] * 2)):
        masks = MMUnlearner(**SETTINGS, threshold=threshold).restrict(model, (), epoch)
        assert masks["table"].tolist() == salient
    assert model.table.grad is None
    unreached = MMUnlearner(**SETTINGS).restrict(model, (), [Batches(after_0, after_0, knowledge=after_0)])
    assert not unreached["table"].any()  # equally salient after 0, never seen after 1


def test_what_each_method_needs():
    reference = {KLMinimization, NegativePreferenceOptimization, SelfDistillation, DirectPreferenceOptimization}
    needs = {
        "reference": reference | {TaskArithmetic, RepresentationMisdirection},
        "retain": {GradientDifference, KLMinimization, MMUnlearner, RepresentationMisdirection},
        "refusal": {DirectPreferenceOptimization},
        "knowledge": {MMUnlearner},
    }
    for method in {GradientAscent, *needs["reference"], *needs["retain"]}:
        assert {what for what in needs if getattr(method, f"needs_{what}")} == {
            what for what, methods in needs.items() if method in methods
        }


def test_prompting_names_everybody():
    prompt = Prompting().system_prompt(["Ada Brook", "Tom Field"])
    assert "Ada Brook, Tom Field" in prompt and "must not answer" in prompt
    with pytest.raises(ValueError, match="at least one name"):
        Prompting().system_prompt([])


def likelihood_change(model: TableModel, loss: torch.Tensor, data: dict) -> float:
    """Change of the log-likelihood of the answers after one small step down the loss."""
    with torch.no_grad():
        before = answer_log_likelihood(model, data).sum()
    (gradient,) = torch.autograd.grad(loss, model.table, retain_graph=True)
    moved = TableModel((model.table - 1e-3 * gradient).tolist())
    with torch.no_grad():
        return (answer_log_likelihood(moved, data).sum() - before).item()


def test_recovery_is_held_by_its_guard():
    forget = -(2 * math.log(3 / 4) + math.log(1 / 2)) / 3  # CE; on retain -log(1/4)
    model = TableModel(TABLE)
    assert Recover(**SETTINGS, weight=0).loss(model, Batches(FORGET, RETAIN), None).item() == pytest.approx(math.log(4))
    guarded = Recover(**SETTINGS, weight=2, cap=1).loss(model, Batches(FORGET, RETAIN), None)
    assert guarded.item() == pytest.approx(math.log(4) + 2 * (1 - forget))
    reached = Recover(**SETTINGS, weight=2, cap=forget / 2).loss(model, Batches(FORGET, RETAIN), None)
    assert reached.item() == pytest.approx(math.log(4))  # beyond the cap nothing pushes

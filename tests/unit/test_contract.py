"""The contract: what is in the package keeps it, and a file that breaks one point is told which."""

from itertools import cycle

import pytest

from manu.cli import main
from manu.contract import method, model
from manu.contract.points import judged
from manu.core import extensions
from manu.models.registry import known_models
from manu.unlearning.registry import known_methods, method_class

SMALLEST = """\
from dataclasses import dataclass
from typing import ClassVar
from manu.training.losses import answer_cross_entropy
from manu.unlearning.base import TrainingMethod
@dataclass(frozen=True, kw_only=True)
class Smallest(TrainingMethod):
    {asks}
    def loss(self, model, batches, reference):
        return {loss}
METHOD = Smallest
"""


def broken(kind: str, name: str, material) -> dict[str, str]:
    """The contract points that a method or model breaks: the first word of each -> what is said."""
    if kind == "model":
        points = judged(model.CHECKS, model.Subject(name, material))
    else:
        points = judged(method.CHECKS[method_class(name).kind], method.Subject(name, material))
    return {point.says: point.problem for point in points if point.problem is not None}


@pytest.mark.parametrize("name", known_models())
def test_a_model_of_the_package_keeps_the_contract(name, material):
    assert broken("model", name, material) == {}


@pytest.mark.parametrize("name, architecture", list(zip(known_methods(), cycle(known_models()), strict=False)))
def test_a_method_of_the_package_keeps_the_contract(name, architecture, material, monkeypatch):
    monkeypatch.setattr(method, "known_models", lambda: [architecture])
    assert broken("method", name, material) == {}


def test_the_files_of_the_page_keep_it_and_the_command_says_so(page, capsys):
    for kind, name, points in (("method", "simnpo", 8), ("model", "vipllava", 12)):
        assert main(["check", kind, f"mine/{name}.py"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == f"{kind} {name}" and lines[-1] == f"{points} of {points} contract points hold"
        assert all(line.startswith("ok    ") for line in lines[1:-1]) and len(lines) == points + 2


def test_a_loss_that_reaches_no_weight_is_told(page, capsys, monkeypatch):
    monkeypatch.setattr(method, "known_models", lambda: ["llava"])
    path = page / "mine/simnpo.py"
    path.write_text(path.read_text().replace("gamma).mean()", "gamma).mean().detach()"))
    assert main(["check", "method", "mine/simnpo.py"]) == 1
    said = capsys.readouterr().out
    assert "FAIL  Loss: a finite number" in said and "no gradient reaches the model" in said


@pytest.mark.parametrize(
    ("loss", "told"),
    [
        (
            "answer_cross_entropy(model, batches.retain)",
            "batches.retain is not there; a method that uses it says needs_retain",
        ),
        (
            "sum((q - p).sum() for p, q in zip(model.parameters(), reference.parameters()))",
            "needs_reference: ClassVar[bool]",
        ),
    ],
)
def test_what_a_method_uses_and_does_not_ask_for_is_told(loss, told, page, material, monkeypatch):
    monkeypatch.setattr(method, "known_models", lambda: ["llava"])
    (page / "mine/greedy.py").write_text(SMALLEST.format(loss=loss, asks=""))
    extensions.add(["mine/greedy.py"])
    said = next(
        text for point, text in broken("method", "greedy", material).items() if point.startswith("Loss: a finite")
    )
    assert told in said and "greedy.py, line 9" in said


def test_a_loss_that_names_weights_is_told_that_adapters_rename_them(page, material, monkeypatch):
    monkeypatch.setattr(method, "known_models", lambda: ["llava"])
    anchored = "sum((dict(reference.named_parameters())[n] - p).square().sum() for n, p in model.named_parameters())"
    loss = f"{anchored} - answer_cross_entropy(model, batches.forget)"
    (page / "mine/anchored.py").write_text(SMALLEST.format(loss=loss, asks="needs_reference: ClassVar[bool] = True"))
    extensions.add(["mine/anchored.py"])
    ((point, said),) = broken("method", "anchored", material).items()
    assert (
        point.startswith("Training: works with low-rank adapters")
        and "KeyError" in said
        and "anchored.py, line 9" in said
    )


def test_a_setting_of_a_class_that_is_no_dataclass_is_told(page, capsys):
    path = page / "mine/simnpo.py"
    path.write_text(path.read_text().replace("@dataclass(frozen=True, kw_only=True)\n", ""))
    assert main(["check", "method", "mine/simnpo.py"]) == 2
    assert (
        "SimNpo: 'beta' is annotated and no setting; needed: @dataclass(frozen=True, kw_only=True)"
        in capsys.readouterr().err
    )


def test_a_model_under_another_name_is_told(page, material):
    path = page / "mine/vipllava.py"
    path.write_text(path.read_text().replace('name = "vipllava"', 'name = "other"'))
    extensions.add(["mine/vipllava.py"])
    (said,) = broken("model", "vipllava", material).values()
    assert said == "name is 'other'; needed: 'vipllava', by which studies know it"


def test_pictures_with_too_many_tokens_are_told(page, material):
    path = page / "mine/vipllava.py"
    path.write_text(path.read_text().replace("IMAGE * self.model", "IMAGE * 2 * self.model"))
    extensions.add(["mine/vipllava.py"])
    found = broken("model", "vipllava", material)
    said = {
        start: text
        for point, text in found.items()
        for start in ("Prompts: token", "Prompts: a pic")
        if point.startswith(start)
    }
    assert "with a picture, without a system prompt: prompt_ids gives" in said["Prompts: token"]
    assert "do not match" in said["Prompts: a pic"] and "; expand_images writes the tokens; " in said["Prompts: a pic"]


def test_a_model_that_cannot_be_built_is_told_once(page, capsys):
    path = page / "mine/vipllava.py"
    path.write_text(path.read_text().replace("a = architecture\n", "a = architecture.sizes\n"))
    assert main(["check", "model", "mine/vipllava.py"]) == 1
    said = capsys.readouterr().out
    assert said.count("has no attribute 'sizes'") == 1 and said.count("FAIL") == 1
    assert said.splitlines()[-1] == "the other 11 contract points need a model that can be built"


def test_sizes_that_a_plan_cannot_read_are_told(page, material):
    path = page / "mine/vipllava.py"
    path.write_text(f"{path.read_text()}\nMODEL.per_patch = ()\n")
    extensions.add(["mine/vipllava.py"])
    points = judged([model.planned], model.Subject("vipllava", material))
    assert [point.problem for point in points] == [
        "counts no vision; see `per_patch`, `language_model` and `picture_side`"
    ]


def test_a_mask_of_another_size_is_told(page, material, monkeypatch):
    monkeypatch.setattr(method, "known_models", lambda: ["llava"])
    (page / "mine/half.py").write_text(
        "from dataclasses import dataclass\n"
        "from manu.neurons.selection import select_top\n"
        "from manu.unlearning.manu import Manu\n\n\n"
        "@dataclass(frozen=True, kw_only=True)\n"
        "class Half(Manu):\n"
        "    def select(self, statistics):\n"
        "        return select_top(super().select(statistics).scores, self.prune_ratio / 2)\n\n\n"
        "METHOD = Half\n"
    )
    extensions.add(["mine/half.py"])
    (point,) = broken("method", "half", material)
    assert point.startswith("Selection: a finite score")


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["method", "mine/vipllava.py"], "mine/vipllava.py defines a model; needed: a method"),
        (["method", "mine/gone.py"], "cannot read mine/gone.py: No such file or directory"),
        (["model", "lava"], "unknown model 'lava'; known: idefics2, llava"),
        (["method"], "check method: which one? needed: a file, such as my_method.py, or a known name"),
        (["method", "npo", "--settings", "3"], "--settings: '3' is no mapping; needed: such as '{beta: 0.4}'"),
        (["method", "npo", "--settings", "{betta: 3}"], "method 'npo': unknown setting 'betta'"),
    ],
)
def test_what_cannot_be_checked_is_told_in_one_line(arguments, told, page, capsys):
    assert main(["check", *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith(f"error: {told}") and said.err.count("\n") == 1

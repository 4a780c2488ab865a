"""Two methods joined: the settings of both, the checks of both, and what cannot be joined."""

import dataclasses

import pytest

from manu.core.errors import UserError
from manu.unlearning.manu import Manu
from manu.unlearning.recover import Recover
from manu.unlearning.registry import create_method, is_known, method_class, pruning_class, source_files

TRAINING = {"learning_rate": 1e-3, "epochs": 2, "batch_size": 32}


def test_a_joined_method_has_the_settings_of_both():
    joined = create_method("manu+recover", TRAINING | {"prune_ratio": 20, "weight": 0, "functions": ["abs"]})
    assert joined.kind == "training" and joined.prunes is Manu and isinstance(joined, Recover)
    assert joined.pruning == Manu(prune_ratio=20.0, functions=("abs",))
    assert (joined.weight, joined.epochs, joined.modalities) == (0.0, 2, ("multimodal", "text"))
    settings = dataclasses.asdict(joined)
    assert set(settings) == set(dataclasses.asdict(joined.pruning)) | {
        field.name for field in dataclasses.fields(Recover)
    }
    assert method_class("manu+recover") is type(joined) and joined.__dataclass_params__.frozen


def test_names_and_files():
    assert is_known("manu+recover") and not is_known("manu+recovery") and not is_known("manu+recover+recover")
    assert [file.name for file in source_files("manu+recover")] == ["manu.py", "recover.py", "modality.py"]
    assert pruning_class("manu+recover") is pruning_class("manu") is Manu
    assert pruning_class("recover") is pruning_class("prompting") is None


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("manu+recover", TRAINING, "missing setting 'prune_ratio'"),
        ("manu+recover", TRAINING | {"prune_ratio": 0}, "prune_ratio: 0.0; needed: from 1 to 99 percent"),
        ("manu+recover", TRAINING | {"prune_ratio": 5, "cap": 0}, "cap: 0.0; needed: above 0"),
        ("ga+recover", TRAINING, "only <pruning>+<training> can be joined, not training+training"),
        ("manu+prompting", {}, "only <pruning>+<training> can be joined, not pruning+prompting"),
        ("manu+nothing", {}, "unknown method 'manu+nothing'"),
    ],
)
def test_mistakes_are_named(name, settings, message):
    with pytest.raises(UserError, match=message.replace("+", r"\+")):
        create_method(name, settings)

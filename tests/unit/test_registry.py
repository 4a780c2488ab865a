"""Methods by name: found without a list, refused with one."""

import dataclasses
import subprocess
import sys

import pytest

from manu.core.errors import UserError
from manu.unlearning.registry import create_method, known_methods, method_class, pruning_class, source_files

TRAINING = {"learning_rate": 2.0e-4, "epochs": 2, "batch_size": 32}


def test_every_file_defines_one_frozen_method():
    assert known_methods() == [
        "dpo",
        "ga",
        "gradient_difference",
        "gradient_difference_paired",
        "kl",
        "kl_paired",
        "largest_activation",
        "manu",
        "manu_gradient",
        "manu_released",
        "mmunlearner",
        "npo",
        "prompting",
        "random_neurons",
        "recover",
        "rmu",
        "task_arithmetic",
        "undial",
    ]
    for name in known_methods():
        cls = method_class(name)
        assert dataclasses.is_dataclass(cls) and cls.__dataclass_params__.frozen
        assert cls.kind in ("training", "pruning", "prompting")
        assert cls.__module__ == f"manu.unlearning.{name}"
        pruning = pruning_class(name)
        assert [file.stem for file in source_files(name)] == [name, *([pruning.statistics] if pruning else [])]


def test_one_method_imports_no_other():
    code = (
        "import sys; from manu.unlearning.registry import create_method;"
        "create_method('ga', {'learning_rate': 1e-4, 'epochs': 1, 'batch_size': 4});"
        "print(*sorted(m for m in sys.modules if m.startswith('manu.unlearning.')), sep='\\n')"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split() == [f"manu.unlearning.{name}" for name in ("base", "composite", "ga", "registry")]


def test_settings_arrive():
    npo = create_method("npo", TRAINING | {"beta": 1, "modalities": ["multimodal", "text"]})
    assert (npo.beta, npo.modalities, npo.epochs) == (1.0, ("multimodal", "text"), 2)
    assert type(npo.beta) is float
    assert create_method("ga", TRAINING).modalities == ("multimodal",)  # the paper's setting
    manu = create_method("manu", {"prune_ratio": 10})
    assert manu.functions == ("abs", "freq", "var", "rms") and manu.statistics == "modality"
    assert create_method("manu_released", {"prune_ratio": 2}).layers == 3
    assert create_method("prompting", None).kind == "prompting"  # "prompting:" without settings in YAML


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        (
            "manuu",
            {},
            "unknown method 'manuu'; known: dpo, ga, gradient_difference, gradient_difference_paired, kl, kl_paired, "
            "largest_activation, manu, "
            "manu_gradient, manu_released, mmunlearner, npo, prompting, random_neurons, recover, rmu, ",
        ),
        ("base", {}, "unknown method 'base'"),
        ("npo", TRAINING | {"betta": 1}, "method 'npo': unknown setting 'betta'; known: anchor, batch_size"),
        ("ga", {"epochs": 1, "batch_size": 2}, "method 'ga': missing setting 'learning_rate'; known: anchor"),
        ("ga", TRAINING | {"learning_rate": "2e-4"}, "method 'ga': learning_rate: '2e-4' is a str; needed: a number"),
        ("ga", TRAINING | {"epochs": 1.5}, "epochs: 1.5 is a float; needed: a whole number"),
        ("ga", TRAINING | {"epochs": True}, "epochs: True is a bool; needed: a whole number"),
        ("ga", TRAINING | {"epochs": 0}, "method 'ga': epochs: 0; needed: at least 1"),
        ("ga", TRAINING | {"learning_rate": float("nan")}, "learning_rate: nan; needed: above 0"),
        ("ga", TRAINING | {"modalities": "text"}, "modalities: 'text' is a str; needed: a list of text"),
        ("ga", TRAINING | {"modalities": ["audio"]}, "modalities: unknown 'audio'; known: multimodal, text"),
        ("ga", TRAINING | {"modalities": []}, "modalities: []; needed: one or more of multimodal, text"),
        ("npo", TRAINING | {"beta": 0}, "beta: 0.0; needed: above 0"),
        ("dpo", TRAINING | {"refusal": " "}, "method 'dpo': refusal: ' '; needed: a sentence"),
        ("rmu", TRAINING | {"depth": 1}, "method 'rmu': depth: 1.0; needed: between 0 and 1"),
        ("undial", TRAINING | {"gamma": 0}, "method 'undial': gamma: 0.0; needed: above 0"),
        ("mmunlearner", TRAINING | {"threshold": 0}, "method 'mmunlearner': threshold: 0.0; needed: above 0"),
        ("task_arithmetic", TRAINING | {"scaling": -1}, "method 'task_arithmetic': scaling: -1.0; needed: above 0"),
        ("manu", {"prune_ratio": 100}, "method 'manu': prune_ratio: 100.0; needed: from 1 to 99 percent"),
        ("manu", {"prune_ratio": 10, "pooling": "median"}, "pooling: unknown 'median'; known: mean, last, max"),
        ("manu", {"prune_ratio": 10, "ranking": "all"}, "ranking: unknown 'all'; known: global, part, layer"),
        ("manu", {"prune_ratio": 10, "functions": ["std"]}, "functions: unknown 'std'; known: abs, freq, var, rms"),
        ("manu", {"prune_ratio": 10, "parts": ["audio"]}, "parts: unknown 'audio'; known: language, vision"),
        ("manu_released", {"prune_ratio": 2, "layers": 0}, "layers: 0; needed: at least 1"),
        ("prompting", {"names": []}, "method 'prompting': unknown setting 'names'; known: none"),
    ],
)
def test_mistakes_are_named(name, settings, message):
    with pytest.raises(UserError) as error:
        create_method(name, settings)
    assert str(error.value).startswith(message) or message in str(error.value)
    assert "\n" not in str(error.value)

"""Methods, models and figures from outside the package: found by name, carried to their jobs, refused with one line."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from listed_jobs import listed
from manu.analysis.figures.registry import figure_module, known_figures
from manu.core import extensions
from manu.core.errors import UserError
from manu.models.registry import known_models, vlm_class
from manu.provenance.record import source_hashes
from manu.provenance.sources import source_files
from manu.study.loading import read_study
from manu.study.settings import settings_of
from manu.unlearning import registry
from manu.unlearning.registry import create_method, known_methods, method_class

METHOD = """\
from dataclasses import dataclass
from typing import ClassVar
from manu.training.losses import answer_cross_entropy
from manu.unlearning.base import TrainingMethod

@dataclass(frozen=True, kw_only=True)
class Mine(TrainingMethod):
    strength: float = 2.0

    def loss(self, model, batches, reference):
        return -self.strength * answer_cross_entropy(model, batches.forget)

METHOD = Mine
"""
MODEL = "from manu.models.llava import Llava\n\nclass Mine(Llava):\n    name = 'mine'\n\nMODEL = Mine\n"
FIGURE = "NEEDS: str = 'scores'\nTITLE = CAPTION = 'Mine'\ndef draw(data, methods): ...\ndef origin(row, column): ...\n"
TRAINING = "{learning_rate: 1.0e-4, epochs: 1, batch_size: 4}"
STUDY = f"""\
forget_ratios: [10]
extensions: [ext/louder.py, ext/mine.py, ext/dots.py]
models: {{llava: {{}}, mine: {{}}}}
methods:
  ga: {TRAINING}
  louder: {{learning_rate: 1.0e-4, epochs: 1, batch_size: 4, strength: 3}}
  manu: {{prune_ratio: 10}}
figures: [tradeoff, dots]
"""


@pytest.fixture(autouse=True)
def nothing_left():
    yield
    extensions.forget()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A study with a method, a model and a figure of its own, below the working folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine/ext").mkdir(parents=True)
    for name, text in {"louder": METHOD, "mine": MODEL, "dots": FIGURE}.items():
        (tmp_path / f"mine/ext/{name}.py").write_text(text)
    (tmp_path / "mine/study.yaml").write_text(STUDY)
    return tmp_path / "mine"


def test_names_are_those_of_the_files(folder):
    read_study("mine/study.yaml")
    assert {"louder", "ga"} <= set(known_methods()) and {"mine", "llava"} <= set(known_models())
    assert {"dots", "tradeoff"} <= set(known_figures())
    assert create_method("louder", {"learning_rate": 1, "epochs": 1, "batch_size": 2, "strength": 3}).strength == 3.0
    assert vlm_class("mine").name == "mine" and figure_module("dots").TITLE == "Mine"
    assert method_class("manu+louder").prunes is method_class("manu")  # joined like any other
    with pytest.raises(UserError, match="unknown method 'lauder'; known: .*louder"):
        method_class("lauder")


def test_another_study_knows_them_no_more(folder):
    read_study("mine/study.yaml")
    (folder / "other.yaml").write_text(f"models: {{llava: {{}}}}\nmethods: {{ga: {TRAINING}}}\nfigures: [tradeoff]\n")
    read_study(folder / "other.yaml")
    assert "louder" not in known_methods() and "mine" not in known_models() and "dots" not in known_figures()


def test_a_study_that_extends_it_finds_the_files_where_they_lie(folder):
    (folder / "below").mkdir()
    (folder / "below/more.yaml").write_text("extends: mine/study.yaml\nseeds: [1]\n")
    assert read_study("mine/below/more.yaml").extensions == [
        f"mine/ext/{name}.py" for name in ("louder", "mine", "dots")
    ]


def test_a_job_carries_the_files_that_it_runs_and_no_other(folder):
    jobs = listed("mine/study.yaml") | listed("mine/study.yaml", "robustness")

    def jobs_with(name: str) -> set[str]:
        """The jobs whose settings carry an extension, without the study's own folders; it is an input of each."""
        carrying = {
            path: job for path, job in jobs.items() if f"mine/ext/{name}.py" in job.settings.get("extensions", ())
        }
        assert all(f"mine/ext/{name}.py" in job.inputs for job in carrying.values())
        return {path.removeprefix("results/study/") for path in carrying}

    assert jobs_with("dots") == {"figures/study/dots.yaml", "report/index.yaml", "report/robustness.yaml"}
    assert jobs_with("louder") == {
        f"{model}/seed0/forget10/louder/unlearn.yaml" for model in ("llava", "mine")
    }  # one forget ratio: nothing is requested in turn
    assert jobs_with("mine") == {
        "mine/seed0/base/train.yaml",
        "mine/seed0/vanilla/train.yaml",
        "mine/seed0/forget10/retain_only/train.yaml",
        "mine/seed0/forget10/ga/unlearn.yaml",
        "mine/seed0/forget10/louder/unlearn.yaml",
        "mine/seed0/forget10/statistics/modality.yaml",
        "answers/mine/seed0/vanilla.yaml",
        *(f"mine/seed0/random{share}/select_random.yaml" for share in (10, 20, 40)),
        *(f"answers/mine/seed0/random{share}.yaml" for share in (10, 20, 40)),
        *(f"answers/mine/seed0/forget10/{method}.yaml" for method in ("retain_only", "ga", "louder", "manu")),
        *(f"robustness/mine/seed0/forget10/{m}.yaml" for m in ("vanilla", "retain_only", "ga", "louder", "manu")),
    }


def test_other_jobs_are_configured_as_without_them(folder):
    with_them = settings_of_both("mine/study.yaml")
    (folder / "study.yaml").write_text(
        f"forget_ratios: [10]\nmodels: {{llava: {{}}}}\nmethods: {{ga: {TRAINING}}}\nfigures: [tradeoff]\n"
    )
    assert yaml.safe_dump(with_them) == yaml.safe_dump(settings_of_both("mine/study.yaml"))


def settings_of_both(path: str) -> list[dict]:
    """The settings of an unlearning job and of one that asks the vanilla model."""
    study, job = read_study(path), {"model": "llava", "seed": 0}
    return [settings_of(study, "unlearn", method="ga", **job), settings_of(study, "evaluate", method="vanilla", **job)]


def test_a_file_is_a_source_of_its_jobs_and_hashed_in_their_records(folder):
    read_study("mine/study.yaml")
    listed = set(source_files("unlearn", *registry.source_files("louder")))
    alone = set(source_files("draw"))  # a step that imports no loss
    more = {Path(file).name for file in set(source_files("draw", *registry.source_files("louder"))) - alone}
    assert {"louder.py", "losses.py"} <= more  # and what it imports from the package
    assert "mine/ext/louder.py" in listed
    before = source_hashes()["mine/ext/louder.py"]
    (folder / "ext/louder.py").write_text(METHOD + "# another\n")
    assert source_hashes()["mine/ext/louder.py"] != before


def test_a_module_of_an_extension_is_like_no_other(folder):
    """Not even a file with the name of a library, or of one of the package's own modules, comes in their place."""
    (folder / "ext/json.py").write_text(METHOD)
    extensions.add(["mine/ext/json.py"])
    module = method_class("json").__module__
    assert module.startswith("manu_extension_json_") and sys.modules["json"].__name__ == "json"
    assert str(folder / "ext") not in sys.path


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package that offers a method, as pip would install it: with the name and the module of its entry point."""

    def install(name: str, module: str = "others.softer", init: str = "") -> Path:
        site = tmp_path / "site"
        (site / "others").mkdir(parents=True)
        (site / "others/__init__.py").write_text(init)
        (site / "others/softer.py").write_text(METHOD)
        (site / "others-1.dist-info").mkdir()
        (site / "others-1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: others\nVersion: 1\n")
        (site / "others-1.dist-info/entry_points.txt").write_text(f"[manu.methods]\n{name} = {module}\n")
        monkeypatch.syspath_prepend(site)
        sys.modules.pop("others", None)
        extensions._offered.cache_clear()
        return site / "others/softer.py"

    yield install
    extensions._offered.cache_clear()


def test_an_installed_package_offers_a_method(folder, installed):
    file = installed("softer")
    study = STUDY.replace("louder:", "softer:")
    (folder / "study.yaml").write_text(study)
    job = settings_of(read_study("mine/study.yaml"), "unlearn", model="llava", seed=0, method="softer")
    assert job["extensions"] == ["site/others/softer.py"] and registry.source_files("softer") == [file]
    extensions.forget()
    extensions.add(job["extensions"])  # what the job does: one file, known twice
    assert create_method("softer", job["settings"]).strength == 3.0
    assert list(source_hashes())[-1] == "site/others/softer.py"


def test_an_entry_point_without_a_module(installed):
    installed("softer", "others.gone")
    with pytest.raises(UserError, match="entry point softer of manu.methods: there is no module others.gone"):
        method_class("softer")


BAD = {  # what is written where, and what is said: (file, text, words)
    "missing": ("ext/louder.py", None, "'extensions[0]': cannot read mine/ext/louder.py: No such file or directory"),
    "a folder": (
        "study.yaml",
        STUDY.replace("ext/louder.py", "ext"),
        "mine/ext is not an extension; needed: a Python file",
    ),
    "a folder named as a file": ("ext/louder.py", "/", "cannot read mine/ext/louder.py: Is a directory"),
    "no name": (
        "study.yaml",
        STUDY.replace("ext/louder.py", "ext/my-method.py"),
        "my-method.py is not an extension; needed: a",
    ),
    "not Python": ("ext/louder.py", "def loss(:\n", "mine/ext/louder.py, line 1: not valid Python: invalid syntax"),
    "null byte": ("ext/louder.py", "a\0", "mine/ext/louder.py, line 1: not valid Python"),
    "no constant": (
        "ext/louder.py",
        "x = 1\n",
        "mine/ext/louder.py defines none of them; needed: exactly one of METHOD",
    ),
    "two constants": ("ext/louder.py", METHOD + "MODEL = 1\n", "defines METHOD and MODEL; needed: exactly one of"),
    "constant of another kind": (
        "ext/louder.py",
        "METHOD = 3\n",
        "METHOD is 3; needed: a class derived from one of those",
    ),
    "no loss": ("ext/louder.py", METHOD.replace("def loss", "def lose"), "mine/ext/louder.py: METHOD Mine lacks loss"),
    "a type of setting": (
        "ext/louder.py",
        METHOD.replace("strength: float = 2.0", "strength: dict = None"),
        "the setting 'strength' is a <class",
    ),
    "no statistics": (
        "ext/louder.py",
        "from manu.unlearning.base import PruningMethod\n"
        "class P(PruningMethod):\n    def select(self, s): ...\nMETHOD = P\n",
        "statistics is None; needed: one of gradient, modality, released",
    ),
    "raises": ("ext/louder.py", METHOD + "1 / 0\n", "mine/ext/louder.py, line 14: ZeroDivisionError: division by zero"),
    "no adapter": (
        "ext/mine.py",
        "MODEL = dict\n",
        "MODEL is <class 'dict'>; needed: a class derived from manu.models",
    ),
    "adapter without parts": (
        "ext/mine.py",
        "from manu.models.base import VisionLanguageModel\n"
        "class Mine(VisionLanguageModel):\n    name = 'mine'\nMODEL = Mine\n",
        "MODEL Mine lacks build, expand_images, language_model, layout, vision_mlps, model_class",
    ),
    "figure without parts": (
        "ext/dots.py",
        "NEEDS = 'scores'\nTITLE = 'x'\n",
        "dots.py: the figure lacks CAPTION, draw, origin",
    ),
    "figure of what is drawn by none": (
        "ext/dots.py",
        FIGURE.replace("scores", "answers"),
        "dots.py: NEEDS is 'answers'; a figure is drawn from: masks, variant_masks, neurons, ablation, activations",
    ),
    "a list of numbers": ("study.yaml", STUDY.replace("ext/louder.py", "3"), "'extensions[0]' must be text, not 3"),
    "no list": (
        "study.yaml",
        STUDY.replace("[ext/louder.py, ext/mine.py, ext/dots.py]", "ext"),
        "'extensions' must be a list",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_extension_is_told_in_one_line(case, folder):
    file, text, words = BAD[case]
    (folder / file).unlink()
    if text == "/":
        (folder / file).mkdir()
    elif text is not None:
        (folder / file).write_text(text)
    with pytest.raises(UserError) as error:
        read_study("mine/study.yaml")
    assert words in str(error.value) and str(error.value).startswith("mine/study.yaml, line 2: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "name, told",
    [
        ("ga", r"method 'ga' exists twice: .*src/manu/unlearning/ga.py and mine/ga.py; rename one of them"),
        ("louder", "method 'louder' exists twice: mine/ext/louder.py and mine/louder.py"),
        ("retain_only", "mine/retain_only.py: results have a folder of the name 'retain_only'; rename the file"),
    ],
)
def test_a_name_that_is_taken(folder, name, told):
    (folder / f"{name}.py").write_text(METHOD)
    (folder / "study.yaml").write_text(STUDY.replace("ext/mine.py", f"{name}.py, ext/mine.py"))
    with pytest.raises(UserError, match=told):
        read_study("mine/study.yaml")


def test_a_name_that_a_package_has_as_well(folder, installed):
    installed("louder")
    with pytest.raises(UserError, match="'louder' exists twice: .*site/others/softer.py and mine/ext/louder.py"):
        read_study("mine/study.yaml")


def test_names_of_packages_are_known_without_running_them(installed):
    installed("softer", init="raise RuntimeError('not now')\n")
    assert "softer" in known_methods()
    with pytest.raises(UserError, match="^entry point softer of manu.methods: others.softer: RuntimeError: not now$"):
        method_class("softer")


def test_the_command_says_it_in_one_line_and_returns_2(folder):
    (folder / "ext/louder.py").write_text("METHOD = 3\n")
    done = subprocess.run(
        [sys.executable, "-m", "manu.cli", "check", "--study", "mine/study.yaml"], capture_output=True, text=True
    )
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("error: mine/study.yaml, line 2: 'extensions[0]': mine/ext/louder.py: METHOD is 3;")
    assert done.stderr.count("\n") == 1

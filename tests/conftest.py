"""Fixtures that several tests share: a small benchmark and a tiny, untrained model of each architecture."""

import pytest

from extend_page import files_on_the_page
from manu.contract.material import Material, small_model
from manu.core import extensions
from manu.data.benchmark import generate
from manu.data.population import BenchmarkSettings
from manu.data.reading import read_training_data
from manu.models.registry import known_models
from tiny_sizes import SIZES

SMALL = BenchmarkSettings(
    people=20,
    public_figures=4,
    strangers=8,
    portraits=2,
    stranger_portraits=2,
    image_size=32,
    seed=3,
    unseen_people=4,
    anchor_people=4,
)


@pytest.fixture(scope="session")
def small_benchmark():
    """The sizes of that benchmark."""
    return SMALL


@pytest.fixture(scope="session")
def benchmark_folder(tmp_path_factory):
    """A built-in benchmark of 20 people with a 10 percent forget set."""
    folder = tmp_path_factory.mktemp("benchmark")
    generate(folder, SMALL, [10])
    return folder


@pytest.fixture(params=known_models())
def vlm(request, benchmark_folder):
    """A tiny model of each architecture, fresh for every test; its weights are random but large enough to matter."""
    records = read_training_data(benchmark_folder)
    return small_model(request.param, [text for record in records for pair in record.pairs for text in pair], **SIZES)


@pytest.fixture(scope="session")
def material(tmp_path_factory):
    """What contracts are checked on."""
    return Material(tmp_path_factory.mktemp("material"))


@pytest.fixture
def page(tmp_path, monkeypatch):
    """The files of docs/extend.md below the working folder."""
    monkeypatch.chdir(tmp_path)
    for name, text in files_on_the_page().items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    yield tmp_path
    extensions.forget()

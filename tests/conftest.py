"""Fixtures that several tests share: a small benchmark and a tiny, untrained model of each architecture."""

import pytest
import torch

from manu.data.benchmark import generate
from manu.data.population import BenchmarkSettings
from manu.data.reading import read_training_data
from manu.models.loading import prepare_torch
from manu.models.registry import known_models, vlm_class
from tiny_sizes import SIZES

SMALL = BenchmarkSettings(people=20, public_figures=4, strangers=8, portraits=2, image_size=32, seed=3, unseen_people=4)


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
    cls = vlm_class(request.param)
    lessons = read_training_data(benchmark_folder)
    prepare_torch(seed=0)
    built = cls.build(cls.architecture_class(**SIZES), [text for x in lessons for pair in x.pairs for text in pair])
    with torch.no_grad():
        for parameter in built.model.parameters():
            parameter.mul_(3)
    built.model.eval()
    return built

"""Reading a study imports no class of transformers, and a class that does not exist is told."""

import subprocess
import sys

import pytest

from manu.core.errors import UserError
from manu.models.base import VisionLanguageModel
from manu.models.lazy_imports import TransformersClass
from manu.models.registry import known_models, vlm_class

LISTED = """
import sys
from manu.study.loading import read_study
read_study("config/studies/mini.yaml")
print(*(name for name in sys.modules if name.partition(".")[0] in ("transformers", "peft", "accelerate")))
"""


def test_reading_the_default_study_imports_no_transformers():
    done = subprocess.run([sys.executable, "-c", LISTED], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("name", known_models())
def test_classes_named_late_are_those_of_the_model(name):
    cls = vlm_class(name)
    assert cls.model_class.__name__.endswith("ForConditionalGeneration")
    assert cls.processor_class.__name__.endswith("Processor")
    assert cls.model_class is cls.model_class


def test_a_class_that_transformers_lacks_is_told():
    class Mine(VisionLanguageModel):
        model_class = TransformersClass("LlavaForNothing")

    with pytest.raises(UserError, match="Mine: transformers [0-9.]+ has no class 'LlavaForNothing'"):
        Mine.model_class  # noqa: B018

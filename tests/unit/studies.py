"""A small study as its file says it, and what is told about a mistake in one."""

from pathlib import Path

import pytest

from manu.core.errors import UserError
from manu.study.loading import read_study

GOOD = """\
seeds: [0, 1]
forget_ratios: [5, 20]
benchmark: {people: 20}
models:
  llava: {training: {vanilla: {epochs: 2}}}
methods:
  npo: {learning_rate: 1e-4, epochs: 1, batch_size: 8, modalities: [text, multimodal]}
  prompting: {}
  manu: {prune_ratio: 10}
evaluation: {splits: [forget, retain]}
figures: [tradeoff]
"""


def changed(old: str, new: str, text: str = GOOD) -> str:
    """A study with one place changed."""
    assert text.count(old) == 1
    return text.replace(old, new)


def told(text: str, folder: Path) -> str:
    """The message about a study that cannot be read, from the file study.yaml in a folder."""
    (folder / "study.yaml").write_text(text)
    with pytest.raises(UserError) as error:
        read_study(folder / "study.yaml")
    return str(error.value)

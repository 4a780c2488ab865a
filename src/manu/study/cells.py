"""A part of a study: the cells that `only` names, such as "model=llava method=manu,npo ratio=10"."""

from itertools import product
from typing import Any

from manu.core.errors import UserError
from manu.core.words import hint
from manu.evaluation.vocabulary import REFERENCES
from manu.study.model import Study


def chosen(only: str, study: Study) -> dict[str, list]:
    """What the cells have for `model`, `seed`, `ratio` (percent) and `method`, each in the study's order.

    only: words `key=value,value`; a key that is not named has all that the study has. The references are methods, too.
    Raises UserError (one line) on a key or a value that there is not, and on one said twice.
    """
    there: dict[str, list[Any]] = {
        "model": list(study.models),
        "seed": study.seeds,
        "ratio": study.forget_ratios,
        "method": [*REFERENCES, *study.methods],
    }
    named: dict[str, list[str]] = {}
    for word in only.split():
        key, equals, values = word.partition("=")
        if not equals:
            raise UserError(f"only: '{word}' is not key=value, such as method=manu,npo (no space after a comma)")
        if key not in there:
            raise UserError(f"only: unknown key '{key}'{hint(key, there, 'there is')}")
        if key in named:
            raise UserError(f"only: '{key}' stands twice; write {key}=value,value")
        named[key] = values.split(",")
        known = list(map(str, there[key]))
        for value in named[key]:
            if value not in known:
                raise UserError(f"only: study '{study.name}' has no {key} '{value}'{hint(value, known, 'there is')}")
    return {key: [value for value in all_ if str(value) in named.get(key, [str(value)])] for key, all_ in there.items()}


def answer_files(only: str, study: Study) -> list[str]:
    """The answers of the cells, relative to the working folder; of the vanilla model, which is asked at no ratio, one
    file for each model and seed. Without `only` those of the whole study. Arguments and errors as for `chosen`."""
    cells = chosen(only, study)
    files = []
    for model, seed in product(cells["model"], cells["seed"]):
        folder = f"results/{study.name}/answers/{model}/seed{seed}"
        if "vanilla" in cells["method"]:
            files.append(f"{folder}/vanilla.parquet")
        methods = [method for method in cells["method"] if method != "vanilla"]
        files += [f"{folder}/forget{ratio:02d}/{method}.parquet" for ratio in cells["ratio"] for method in methods]
    return files

"""Read a study: strict YAML, the studies that it extends, types, names and combinations checked, defaults filled in."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from manu.core import extensions
from manu.core.errors import UserError
from manu.core.words import hint
from manu.study.checks import (
    NAME,
    architecture,
    combination_mistakes,
    figure_mistakes,
    growing_requests,
    name_mistakes,
    table_mistakes,
    variant,
)
from manu.study.messages import Mistake, type_mistakes
from manu.study.model import Study, StudyFile
from manu.study.strict_yaml import KeyPath, Place, key_path, read_yaml
from manu.unlearning import trials

STUDIES = Path("config/studies")
MADE_BY = Path(".snakemake")  # <study>.study has the file that the results of this name were made by (manu.jobs.owner)
BUNDLE = Path("bundle.json")  # in an unpacked release; it names the study and its file
_TAKEN = ("vanilla", "retain_only", "ablation", "statistics")  # names in the results that no method may have


def study_path(study: str) -> Path:
    """The file of a study given by its own path, or by name: config/studies/<name>.yaml, or the file elsewhere that
    made the results of this name.

    Raises UserError that lists the known studies.
    """
    if study.endswith((".yaml", ".yml")):
        return Path(study)
    path = STUDIES / f"{study}.yaml"
    known = sorted(file.stem for file in STUDIES.glob("*.yaml"))
    if study not in known:
        if made_by := _made_by(study):
            return made_by
        raise UserError(f"unknown study '{study}': no file {path}{hint(study, known)}")
    return path


def _made_by(study: str) -> Path | None:
    """The file outside config/studies/ that made the results of this name, if it is still there."""
    named, made_by = [], MADE_BY / f"{study}.study"
    if NAME.fullmatch(study) and made_by.is_file():
        named.append(made_by.read_text(encoding="utf-8").strip())
    if BUNDLE.is_file():
        released = json.loads(BUNDLE.read_text(encoding="utf-8"))
        named += [released["file"]] if released["study"] == study and "file" in released else []
    return next((Path(file) for file in named if Path(file).is_file()), None)


def study_files(study: str | Path) -> list[Path]:
    """The file of a study and those of the studies that it extends. Raises UserError as `read_study` does."""
    path = study_path(str(study))
    document, _ = read_yaml(path)
    return [path, *(study_files(document["extends"]) if "extends" in document else [])]


def read_study(study: str | Path) -> Study:
    """The study given by name or path. Afterwards this process knows its extensions, and those of no other study.

    Raises UserError (one line) on the first mistake in the order of the document, then of the studies it extends.
    """
    path = study_path(str(study))
    if not NAME.fullmatch(path.stem):
        raise UserError(f"{path}: a study's name has letters, digits, - and _ only; rename the file")
    document, places = _read_extended(path)
    if not isinstance(document, dict):
        raise UserError(f"{path} must be a mapping with the keys: {', '.join(StudyFile.model_fields)}")
    start = Place(0, 1, 1, path)

    def place(at: KeyPath) -> Place:
        """Where a key stands; if it does not, where the nearest one above it does."""
        while at and at not in places:
            at = at[:-1]
        return places.get(at, start)

    # a broken extension defines no name, so report it before the names that are then unknown
    mistakes = list(_extension_mistakes(document, place(("extensions",)).file))
    mistakes = mistakes or [*type_mistakes(document), *name_mistakes(document)]
    if not mistakes:
        found = Study.model_validate(document | {"name": path.stem})
        if "figures" not in document:  # of the default, what this study can draw
            undrawn = {found.figures[at] for (_, at), _ in figure_mistakes(found)}
            found = found.model_copy(update={"figures": [name for name in found.figures if name not in undrawn]})
        mistakes = list(combination_mistakes(found))
    if not mistakes:
        found = _complete(found)
        mistakes = list(table_mistakes(found))
    if mistakes:
        at, message = min(mistakes, key=lambda mistake: place(mistake[0]))
        message = f"'{key_path(at)}'{message}" if message.startswith((" ", ":")) else message
        where = place(at)
        mend = f"; {path} extends that study: give '{at[0]}' there" if where.depth else ""
        raise UserError(f"{where}: {message}{mend}")
    return found


def _complete(study: Study) -> Study:
    """The study with the defaults that depend on other keys, or that methods and architectures have."""
    ratios, robustness = study.forget_ratios, study.robustness
    middle = ratios[len(ratios) // 2]
    requests = robustness.sequential.requests or growing_requests(study, ratios)
    ablation = {
        "forget_ratio": study.ablation.forget_ratio or middle,
        "variants": {name: variant(study, name) for name in study.ablation.variants},
    }
    attacks = {
        "forget_ratio": robustness.forget_ratio or middle,
        "sequential": robustness.sequential.model_copy(update={"requests": requests}),
    }
    filled = {
        "methods": {name: trials.complete(name, given) for name, given in study.methods.items()},
        "models": {
            name: model.model_copy(update={"architecture": architecture(name, model)})
            for name, model in study.models.items()
        },
        "ablation": study.ablation.model_copy(update=ablation),
        "robustness": robustness.model_copy(update=attacks),
    }
    return study.model_copy(update=filled)


def _read_extended(path: Path, above: Sequence[Path] = ()) -> tuple[Any, dict[KeyPath, Place]]:
    """The document in `path` upon those it extends, without `extends`, and the place of each path inside it.

    A key of the study replaces the base's whole key: mappings are not merged. Raises UserError (one line) on a file
    that cannot be read, a base that does not exist, and a circle.
    """
    document, places = read_yaml(path, len(above))
    if not isinstance(document, dict) or "extends" not in document:
        return document, places
    named, here, chain = document.pop("extends"), places[("extends",)], (*above, path)
    if not isinstance(named, str):
        raise UserError(f"{here}: 'extends' must be the name or the path of one study")
    try:
        base = study_path(named)
    except UserError as error:
        raise UserError(f"{here}: 'extends': {error}") from error
    if not base.is_file():
        raise UserError(f"{here}: 'extends' names {base}, which is not a file")
    files = [file.resolve() for file in chain]
    if base.resolve() in files:
        circle = " -> ".join(map(str, (*chain[files.index(base.resolve()) :], base)))
        raise UserError(f"{here}: 'extends' goes in a circle: {circle}")
    below, lower = _read_extended(base, chain)
    if not isinstance(below, dict):
        raise UserError(f"{here}: 'extends' names {base}, which is not a mapping")
    kept = {key: place for key, place in lower.items() if key[0] is not None and key[0] not in document}
    return below | document, kept | places


def _extension_mistakes(document: dict[str, Any], study: Path) -> Iterator[Mistake]:
    """Register the files of `extensions` in place of another study's; a file that defines nothing usable is a mistake.

    study: the file with the key `extensions`, whose folder the paths are relative to. In the document they become
    relative to the working folder.
    """
    from manu.analysis.figures.registry import figure_module
    from manu.analysis.tables.registry import table
    from manu.evaluation.more_metrics import metric
    from manu.models.registry import vlm_class
    from manu.neurons.statistics.registry import statistics_class
    from manu.unlearning.registry import method_class

    read = {
        "method": method_class,
        "model": vlm_class,
        "statistics": statistics_class,
        "figure": figure_module,
        "metric": metric,
        "table": table,
    }
    extensions.forget()
    files = document.get("extensions")
    files = files if isinstance(files, list) else []
    known: list[tuple[int, str]] = []
    for place, given in enumerate(files):
        if not isinstance(given, str):  # an error of its type
            continue
        files[place] = file = os.path.relpath(study.parent / given)
        try:
            extensions.add([file])
            known.append((place, file))
        except UserError as error:
            yield ("extensions", place), f": {error}"
    for place, file in known:  # a method may name statistics whose file comes after its own
        try:
            read[extensions.kind_of(Path(file))](Path(file).stem)
            if Path(file).stem in _TAKEN:
                raise UserError(f"{file}: results have a folder of the name {Path(file).stem!r}; rename the file")
        except UserError as error:
            yield ("extensions", place), f": {error}"

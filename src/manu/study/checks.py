"""Checks of a study beyond its types: names that must exist, and values that are right alone and wrong together."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, fields
from itertools import pairwise
from typing import Any

from manu.core.errors import UserError
from manu.core.words import hint
from manu.data.prompts import LETTERS
from manu.study.messages import Mistake
from manu.study.model import Model, Study, StudyFile, Variant
from manu.study.strict_yaml import key_path
from manu.unlearning import trials

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")  # of a study and of a variant
CHECKPOINTS = ("start", "vanilla")  # keys of a model that name checkpoints made elsewhere
OF_ROBUSTNESS = ("robustness", "sequential")  # tables of the target `robustness`, and what its figures need
_OURS = ("general", "language")  # splits that the built-in benchmark has in every format
_BUILT_IN = "only the built-in benchmark has (config/README.md)"
_BUILT_HERE: tuple[tuple[str, ...], ...] = (
    ("architecture",),
    ("language_model",),
    ("training", "base"),
    ("training", "vanilla", "rehearsal"),
    ("training", "vanilla", "looks"),
)


def name_mistakes(document: dict[str, Any]) -> Iterator[Mistake]:
    """Models, methods, figures, tables and metrics that do not exist, and settings that they do not have.

    document: as the file states it, whatever its types.
    """
    from manu.analysis.figures.registry import known_figures
    from manu.analysis.tables.registry import known_tables
    from manu.evaluation.more_metrics import known_metrics
    from manu.models.registry import known_models, vlm_class
    from manu.unlearning.registry import is_known, known_methods, method_class

    for name, settings in _entries(document, "methods"):
        if not is_known(name):
            yield ("methods", name), f"unknown method '{name}' in 'methods'{hint(name, known_methods())}"
        else:
            yield from _setting_mistakes(("methods", name), settings, method_class(name), trials.complete)
    for name, model in _entries(document, "models"):
        if name not in known_models():
            yield ("models", name), f"unknown model '{name}' in 'models'{hint(name, known_models())}"
        elif isinstance(model, dict):
            path, sizes = ("models", name, "architecture"), vlm_class(name).architecture_class
            yield from _setting_mistakes(path, model.get("architecture"), sizes, _sizes)
    for key, known in (("figures", known_figures()), ("tables", known_tables()), ("metrics", known_metrics())):
        listed = document.get(key)
        for place, name in enumerate(listed if isinstance(listed, list) else ()):
            if isinstance(name, str) and name not in known:
                yield (key, place), f"unknown {key[:-1]} '{name}' in '{key}'{hint(name, known)}"


def _entries(document: dict[str, Any], key: str) -> Iterable[tuple[str, Any]]:
    given = document.get(key)
    return given.items() if isinstance(given, dict) else ()


def _setting_mistakes(
    path: tuple[str, ...], given: Any, cls: type[Any], check: Callable[[str, dict[str, Any]], Any]
) -> Iterator[Mistake]:
    """Settings that a dataclass does not have; if there are none, what `check` finds in the values."""
    if not isinstance(given, dict):
        return
    known = [field.name for field in fields(cls)]
    unknown = [key for key in given if key not in known]
    for key in unknown:
        yield (*path, key), f"unknown key '{key_path((*path, key))}'{hint(key, known)}"
    if not unknown:
        try:
            check(path[1], given)
        except UserError as error:
            text = str(error)
            named = [key for key in given if re.search(rf"\b{key}\b", text.split("known:")[0])]
            place = (*path, max(named, key=len)) if named else path
            yield place, f": {text}"


def _sizes(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """All sizes of a model built here. Raises UserError as the model's architecture does."""
    from manu.models.base import read_architecture
    from manu.models.registry import vlm_class

    where = key_path(("models", name, "architecture"))
    return asdict(read_architecture(vlm_class(name).architecture_class, given, where))


def _sizes_brought(name: str) -> Iterable[str]:
    """The sizes of a model that a pretrained language model brings with it."""
    from manu.models.base import text_sizes
    from manu.models.registry import vlm_class

    return text_sizes(vlm_class(name).architecture_class)


def architecture(name: str, model: Model) -> dict[str, Any]:
    """All sizes of a model; where a language model brings those of the text side, without them."""
    brought = _sizes_brought(name) if model.language_model else ()
    return {key: value for key, value in _sizes(name, model.architecture).items() if key not in brought}


def variant(study: StudyFile, name: str) -> Variant:
    """A variant of the ablation with all settings of its method. Raises UserError."""
    from manu.unlearning.registry import method_class

    given = study.ablation.variants[name]
    if method_class(given.method).kind != "pruning":
        raise UserError(f"'{given.method}' does not prune")
    settings = trials.complete(given.method, {"prune_ratio": study.ablation.prune_ratio, **given.settings})
    return Variant.model_construct(method=given.method, settings=settings)


def growing_requests(study: StudyFile, ratios: Iterable[int]) -> list[int]:
    """The ratios, ascending, without those that name as many people as the one before; all of a fetched benchmark."""
    from manu.data.splits import forget_count

    if study.benchmark.is_fetched:
        return sorted(ratios)
    by_count = {forget_count(study.benchmark.people, ratio): ratio for ratio in sorted(ratios, reverse=True)}
    return sorted(by_count.values())


def combination_mistakes(study: Study) -> Iterator[Mistake]:
    """Values that are right alone and wrong together."""
    yield from _fetched_mistakes(study) if study.benchmark.is_fetched else _ratio_mistakes(study)
    for name, model in study.models.items():
        yield from _model_mistakes(study, name, model)
    yield from _format_mistakes(study)
    needed = study.tuning.trials
    for name, settings in study.methods.items():
        there = trials.combinations(settings)
        if 1 < there < needed:
            yield ("methods", name), f" has {there} settings to try; 'tuning.trials' asks for {needed} of each method"
        if name in study.methods_beside_retain_only() and trials.tuned(settings):
            said = "cannot be tuned while its reference is the retain-only model: there is none of the tuning people"
            yield ("methods", name), f" {said}; set the reference to vanilla, or give each setting one value"
    for key, ratio in (("ablation", study.ablation.forget_ratio), ("robustness", study.robustness.forget_ratio)):
        if ratio and ratio not in study.forget_ratios:
            known = _listed(study.forget_ratios)
            yield (key, "forget_ratio"), f" is {ratio}; it must be one of forget_ratios: {known}"
    steps = study.robustness.relearning.steps
    if steps != sorted(steps):
        yield ("robustness", "relearning", "steps"), f" must ascend, not {_listed(steps)}"
    yield from _request_mistakes(study)
    for name in study.ablation.variants:
        at = ("ablation", "variants", name)
        if not NAME.fullmatch(name):
            yield at, ": a variant's name has letters, digits, - and _ only"
        try:
            variant(study, name)
        except UserError as error:
            yield at, f": {error}"
    yield from figure_mistakes(study)


def _fetched_mistakes(study: Study) -> Iterator[Mistake]:
    """What a study asks of a benchmark made elsewhere that only the built-in one has."""
    for key in study.benchmark.model_fields_set - {*study.benchmark.given, "format"}:
        yield ("benchmark", key), " is a size of the built-in benchmark; the one that is named has its own"
    if "membership" in study.robustness.model_fields_set:
        yield ("robustness", "membership"), f" needs people whom no model learns, whom {_BUILT_IN}"
    for name in study.tuned_methods():
        yield ("methods", name), f" leaves settings open; they are tried on people whom {_BUILT_IN}: give a value"


def _ratio_mistakes(study: Study) -> Iterator[Mistake]:
    """Forget ratios that leave nobody to forget or to retain."""
    from manu.data.splits import split_people

    people = [str(number) for number in range(study.benchmark.people)]
    for place, ratio in enumerate(study.forget_ratios):
        try:
            split_people(people, ratio, seed=0)
        except UserError as error:
            yield ("forget_ratios", place), str(error)


def _model_mistakes(study: Study, name: str, model: Model) -> Iterator[Mistake]:
    """Keys of a model that do not go together, or not with the benchmark."""
    from manu.models.registry import vlm_class

    at: tuple[str, ...] = ("models", name)
    elsewhere = [key for key in CHECKPOINTS if getattr(model, key)]
    built_here = [path for path in _BUILT_HERE if elsewhere and _is_given(model, path)]
    for path in built_here:
        yield (*at, *path), f" is for models built here; this one has a '{elsewhere[0]}'"
    if not built_here and model.start is None and (model.vanilla or study.benchmark.is_fetched):
        why = "'vanilla' is given: the retain-only" if model.vanilla else "the benchmark is fetched: every"
        yield at, f" needs a 'start', since {why} model is trained from a pretrained checkpoint"
    if model.processes > 1 and model.device_map != "none":
        spread = f"'device_map' is {model.device_map}, which spreads one over all GPUs"
        yield (*at, "processes"), f": each process has a whole model on one GPU, and {spread}"
    if model.language_model:
        if not vlm_class(name).takes_language:
            text = f": {name} is built on no pretrained language model; leave the key out"
            yield (*at, "language_model"), text
        for key in _sizes_brought(name):
            if key in model.architecture:
                text = " is a size of the text side, which 'language_model' brings: leave one of the two out"
                yield (*at, "architecture", key), text


def _is_given(model: Any, path: tuple[str, ...]) -> bool:
    """Whether the study gives a key, at the end of a path through sections."""
    for key in path:
        if key not in model.model_fields_set:
            return False
        model = getattr(model, key)
    return True


def _format_mistakes(study: Study) -> Iterator[Mistake]:
    """What a study asks that its benchmark, in its format, does not have."""
    from manu.data.reading import FORMATS

    name, fetched = study.benchmark.format_name, study.benchmark.is_fetched
    ours = () if fetched else _OURS
    for key, known, what in (("splits", FORMATS[name].SPLITS, "set"), ("tasks", FORMATS[name].TASKS, "task")):
        for item in getattr(study.evaluation, key):
            if item not in (*known, *ours):
                why = _BUILT_IN if item in _OURS else f"the format {name} does not have"
                yield ("evaluation", key), f" has the {what} '{item}', which {why}; needed: [{', '.join(known)}]"
    figures = study.benchmark.public_figures
    if name == "clear" and not fetched and figures < len(LETTERS):
        text = f" is {figures}; the format clear asks for one name among {len(LETTERS)}"
        yield ("benchmark", "public_figures"), text


def _request_mistakes(study: Study) -> Iterator[Mistake]:
    """Requests that cannot come one after the other."""
    at, requests = ("robustness", "sequential", "requests"), study.robustness.sequential.requests
    if requests != sorted(requests):
        yield at, f" must ascend, not {_listed(requests)}"
    for ratio in requests:
        if ratio not in study.forget_ratios:
            yield at, f" lists {ratio}; each must be one of forget_ratios: {_listed(study.forget_ratios)}"
    for before, ratio in pairwise(requests):
        if ratio not in growing_requests(study, [before, ratio]):
            nobody = f"{ratio} percent of the people are nobody whom {before} percent are not"
            yield at, f": {nobody}; list ratios that differ by a person"


def figure_mistakes(study: Study) -> Iterator[tuple[tuple[str, int], str]]:
    """Figures that cannot be drawn from what the study makes."""
    from manu.analysis.tables.registry import known_tables, tables_of
    from manu.study.settings import sources_of

    readable = {}
    for name in study.ablation.variants:
        with suppress(UserError):  # a mistake of its own
            readable[name] = variant(study, name)
    study = study.model_copy(update={"ablation": study.ablation.model_copy(update={"variants": readable})})
    functions = study.ablation.by_function()
    why = dict.fromkeys(OF_ROBUSTNESS, "is drawn by the target 'robustness'; leave it out here")
    if not study.methods_of_kind("pruning"):
        why["masks"] = "shows pruned neurons; 'methods' has no pruning method"
    if not study.ablation.variants:
        why["ablation"] = "shows an ablation; 'ablation.variants' is empty"
    if not any(len(names) == 1 for names in functions.values()):
        missing = "'ablation.variants' has no variant of one, such as only_abs: {functions: [abs]}"
        why["variant_masks"] = f"shows importance functions alone; {missing}"
    made = tables_of(None, sources_of(study))
    for table in known_tables():
        if table not in made or table not in (study.tables or made):
            why.setdefault(table, f"is drawn from the table '{table}', which this study does not make")
    for needs, reason in why.items():
        for name in study.figures_that_need(needs):
            yield ("figures", study.figures.index(name)), f"figure '{name}' in 'figures' {reason}"


def table_mistakes(study: Study) -> Iterator[Mistake]:
    """Tables in a study's list that need what the study, complete with its defaults, does not make."""
    from manu.analysis.tables.registry import tables_of
    from manu.study.settings import sources_of

    for place, name in enumerate(study.tables or ()):
        try:
            tables_of([name], sources_of(study))
        except UserError as error:
            yield ("tables", place), str(error)


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))

"""A study's configuration: read, checked against the schema and the known names, defaults filled in."""

import difflib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from copy import deepcopy
from dataclasses import asdict, fields
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from manu.core import extensions
from manu.core.errors import UserError
from manu.data.prompts import LETTERS
from manu.study.extends import Place, read_extended
from manu.study.strict_yaml import key_path
from manu.unlearning import trials

STUDIES = Path("config/studies")
SCHEMA = Path(__file__).parents[3] / "workflow" / "schemas" / "study.schema.yaml"
CHECKPOINTS = ("start", "vanilla")  # keys of a model that name checkpoints made elsewhere
OF_ROBUSTNESS = ("robustness", "sequential")  # tables of the target `robustness`, and what its figures need
_SOURCE = ("repo", "revision", "path")
_OURS = ("general", "language")  # splits that the built-in benchmark has in every format
_BUILT_HERE = (  # keys of a model that say how one is built, and taught from nothing
    ("architecture",),
    ("language_model",),
    ("training", "base"),
    ("training", "vanilla", "rehearsal"),
)
_TAKEN = ("vanilla", "retain_only", "ablation", "statistics")  # names in the results that no method may have
AT_ONE_RATIO = ("ablation", "robustness")  # sections whose `forget_ratio` 0 means the middle one
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "array": "a list",
    "object": "a mapping",
    "boolean": "true or false",
    "string": "text",
}

_Validator = extend(  # 2.0 is not a whole number here
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ),
)


@cache
def study_schema() -> dict:
    """The schema of a study (workflow/schemas/study.schema.yaml)."""
    return yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))


def study_path(study: str) -> Path:
    """The file of a study given by name (config/studies/<name>.yaml) or by its own path.

    Raises UserError that lists the known studies.
    """
    if study.endswith((".yaml", ".yml")):
        return Path(study)
    path = STUDIES / f"{study}.yaml"
    known = sorted(p.stem for p in STUDIES.glob("*.yaml"))
    if study not in known:
        raise UserError(f"unknown study '{study}': no file {path}{_hint(study, known)}")
    return path


def load_study(study: str | Path) -> dict:
    """The study given by name or path: every key present, methods with all their settings, plus `name`.

    From then on this process knows the study's extensions, and those of no other.

    Raises UserError (one line) on the first mistake in the order of the document, then of those that it extends.
    """
    path = study_path(str(study))
    if not _NAME.fullmatch(path.stem):
        raise UserError(f"{path}: a study's name has letters, digits, - and _ only; rename the file")
    document, places = read_extended(path, study_path)
    if not isinstance(document, dict):
        raise UserError(f"{path} must be a mapping with the keys: {', '.join(study_schema()['properties'])}")

    # a file that is no extension defines no name: it is told before the names that are then unknown
    mistakes = list(_extension_mistakes(document, _place(("extensions",), places, Place(0, 1, 1, path)).file))
    mistakes = mistakes or [*_schema_mistakes(document), *_name_mistakes(document)]
    mistakes += _source_mistakes(document) if not mistakes else ()
    if not mistakes:
        filled = apply_defaults(study_schema(), document)
        if "figures" not in document:  # of the default, what this study can draw
            undrawn = {filled["figures"][place] for (_, place), _ in _figure_mistakes(filled)}
            filled["figures"] = [name for name in filled["figures"] if name not in undrawn]
        mistakes = list(_combination_mistakes(filled))
    if mistakes:
        start = Place(0, 1, 1, path)
        where, message = min(mistakes, key=lambda mistake: _place(mistake[0], places, start))
        place = _place(where, places, start)
        mend = f"; {path} extends that study: give '{where[0]}' there" if place.depth else ""
        raise UserError(f"{place}: {message}{mend}")

    if is_fetched(filled["benchmark"]):  # it has its own sizes
        kept = (*_SOURCE, "format")
        filled["benchmark"] = {key: filled["benchmark"][key] for key in kept if key in filled["benchmark"]}
    filled["methods"] = {name: _method_settings(name, given) for name, given in filled["methods"].items()}
    ablation = filled["ablation"]
    ablation["variants"] = {name: _variant(filled, name) for name in ablation["variants"]}
    ratios = filled["forget_ratios"]
    for section in AT_ONE_RATIO:
        filled[section]["forget_ratio"] = filled[section]["forget_ratio"] or ratios[len(ratios) // 2]
    sequential = filled["robustness"]["sequential"]
    sequential["requests"] = sequential["requests"] or _growing(filled, ratios)
    for name, model in filled["models"].items():
        model["architecture"] = _architecture(name, model)
    return {"name": path.stem, **filled}


def apply_defaults(schema: dict, value: Any) -> Any:
    """`value` with the schema's defaults filled in, at every depth, in the schema's order of keys."""
    if not isinstance(value, dict):
        return deepcopy(value)
    properties, filled = schema.get("properties", {}), {}
    for key, inner in properties.items():
        if key in value or "default" in inner:
            filled[key] = apply_defaults(inner, value.get(key, inner.get("default")))
    others = schema.get("additionalProperties")
    others = others if isinstance(others, dict) else {}
    return filled | {key: apply_defaults(others, given) for key, given in value.items() if key not in properties}


def is_fetched(benchmark: dict) -> bool:
    """Whether a study's `benchmark` names files that were made elsewhere, rather than the sizes of the built-in one."""
    return any(key in benchmark for key in _SOURCE)


def format_name(benchmark: dict) -> str:
    """Whose configurations and columns a study's `benchmark` has: a key of manu.data.reading.FORMATS."""
    return benchmark.get("format", "mllmu")


def methods_of_kind(study: dict, kind: str) -> list[str]:
    """The study's methods of one kind (training, pruning or prompting), in its order."""
    from manu.unlearning.registry import method_class

    return [name for name in study["methods"] if method_class(name).kind == kind]


def tuned_methods(study: dict) -> list[str]:
    """The study's methods with settings to be chosen, in its order."""
    return [name for name, settings in study["methods"].items() if trials.tuned(settings)]


def figures_that_need(study: dict, needs: str) -> list[str]:
    """The study's figures that are drawn from the scores ("scores"), masks ("masks", "variants") or a table."""
    from manu.analysis.figures.registry import figure_module

    return [name for name in study["figures"] if needs == figure_module(name).NEEDS]


def variants_by_function(ablation: dict) -> dict[str, list[str]]:
    """The variants of an ablation that differ from `manu` at its prune ratio in the importance functions only.

    Name -> functions: those of one function each in the study's order, then those of all functions.
    """
    plain = _method_settings("manu", {"prune_ratio": ablation["prune_ratio"]})
    all_functions = plain["functions"]
    found = {
        name: variant["settings"]["functions"]
        for name, variant in ablation["variants"].items()
        if variant["method"] == "manu" and variant["settings"] | {"functions": all_functions} == plain
    }
    single = {name: functions for name, functions in found.items() if len(functions) == 1}
    return single | {name: functions for name, functions in found.items() if functions == all_functions}


# A mistake: the path inside the document, and what to say about it.
_Mistake = tuple[tuple, str]


def _place(path: tuple, places: dict[tuple, Place], start: Place) -> Place:
    """Where a path stands; where the nearest key above it does, if it does not; `start` where none does."""
    while path and path not in places:
        path = path[:-1]
    return places.get(path, start)


def _schema_mistakes(document: dict) -> Iterator[_Mistake]:
    for error in _Validator(study_schema()).iter_errors(document):
        yield from _say(error, tuple(error.absolute_path))


def _say(error: ValidationError, path: tuple) -> Iterator[_Mistake]:
    """What to tell the user about one violation of the schema."""
    name, value, rule = key_path(path), error.instance, error.validator_value
    if error.validator == "additionalProperties":
        known = list(error.schema["properties"])
        for key in value:
            if key not in known:
                yield (*path, key), f"unknown key '{key_path((*path, key))}'{_hint(key, known)}"
    elif error.validator == "required":
        for key in rule:
            if key not in value:
                yield (*path, None), f"the key '{key_path((*path, key))}' is missing"
    elif error.validator == "type":
        yield path, f"'{name}' must be {_TYPES[rule]}, not {_shown(value)}"
    elif error.validator == "enum":
        yield path, f"unknown value {_shown(value)} in '{name}'{_hint(str(value), rule)}"
    elif error.validator in ("minItems", "minProperties"):
        yield path, f"'{name}' must not be empty"
    elif error.validator == "uniqueItems":
        twice = next(i for i, item in enumerate(value) if item in value[:i])
        yield (*path, twice), f"'{name}' lists {_shown(value[twice])} twice"
    else:
        yield path, f"'{name}' must be {_bounds(error.schema)}, not {_shown(value)}"


def _bounds(schema: dict) -> str:
    """The bounds of a number in words."""
    if "minimum" in schema and "maximum" in schema:
        return f"from {schema['minimum']} to {schema['maximum']}"
    words = {
        "minimum": "at least",
        "exclusiveMinimum": "more than",
        "maximum": "at most",
        "exclusiveMaximum": "less than",
    }
    return " and ".join(f"{text} {schema[key]}" for key, text in words.items() if key in schema)


def _extension_mistakes(document: dict, study: Path) -> Iterator[_Mistake]:
    """Makes the files of `extensions` known, in place of another study's; those that define nothing usable.

    study: the file where the key stands; paths are relative to its folder, and in the document to the working folder
    from then on.
    """
    from manu.analysis.figures.registry import figure_module
    from manu.evaluation.more_metrics import metric
    from manu.models.registry import vlm_class
    from manu.unlearning.registry import method_class

    extensions.forget()
    files = document.get("extensions")
    for place, given in enumerate(files if isinstance(files, list) else ()):
        if not isinstance(given, str):  # the schema has its say
            continue
        files[place] = file = os.path.relpath(study.parent / given)
        try:
            extensions.add([file])
            check = {"method": method_class, "model": vlm_class, "figure": figure_module, "metric": metric}
            check[extensions.kind_of(Path(file))](Path(file).stem)
            if Path(file).stem in _TAKEN:
                raise UserError(f"{file}: results have a folder of the name {Path(file).stem!r}; rename the file")
        except UserError as error:
            yield ("extensions", place), f"'extensions[{place}]': {error}"


def _name_mistakes(document: dict) -> Iterator[_Mistake]:
    """Models, methods and figures that do not exist, and settings that they do not take."""
    from manu.analysis.figures.registry import known_figures
    from manu.evaluation.more_metrics import known_metrics
    from manu.models.registry import known_models, vlm_class
    from manu.unlearning.registry import is_known, known_methods, method_class

    for name, settings in _entries(document, "methods"):
        if not is_known(name):
            yield ("methods", name), f"unknown method '{name}' in 'methods'{_hint(name, known_methods())}"
        else:
            yield from _setting_mistakes(("methods", name), settings, method_class(name), _method_settings)
    for name, model in _entries(document, "models"):
        if name not in known_models():
            yield ("models", name), f"unknown model '{name}' in 'models'{_hint(name, known_models())}"
        elif isinstance(model, dict):
            path, sizes = ("models", name, "architecture"), vlm_class(name).architecture_class
            yield from _setting_mistakes(path, model.get("architecture"), sizes, _sizes)
            yield from _text_mistakes(name, model, sizes)
    for section, known in (("figures", known_figures()), ("metrics", known_metrics())):
        listed = document.get(section)
        for place, name in enumerate(listed if isinstance(listed, list) else ()):
            if isinstance(name, str) and name not in known:
                yield (section, place), f"unknown {section[:-1]} '{name}' in '{section}'{_hint(name, known)}"


def _entries(document: dict, section: str) -> Iterable[tuple[str, Any]]:
    given = document.get(section)
    return given.items() if isinstance(given, dict) else ()


def _setting_mistakes(path: tuple, given: Any, cls: type, check: Callable[[str, dict], dict]) -> Iterator[_Mistake]:
    """Settings that a dataclass does not have, then what `check` says about the values of the others."""
    if not isinstance(given, dict):  # missing, or the schema has its say
        return
    known = [field.name for field in fields(cls)]
    unknown = [key for key in given if key not in known]
    for key in unknown:
        yield (*path, key), f"unknown key '{key_path((*path, key))}'{_hint(key, known)}"
    if not unknown:
        try:
            check(path[1], given)
        except UserError as error:
            text = str(error)
            named = [key for key in given if re.search(rf"\b{key}\b", text.split("known:")[0])]
            place = (*path, max(named, key=len)) if named else path
            yield place, f"'{key_path(place)}': {text}"


def _source_mistakes(document: dict) -> Iterator[_Mistake]:
    """Sources that are none, and keys that say nothing about files that were made elsewhere."""
    from manu.fetching.source import Source

    def checked(path: tuple, given: dict) -> Iterator[_Mistake]:
        try:
            Source(**given)
        except UserError as error:
            yield path, f"'{key_path(path)}': {error}"

    benchmark = document.get("benchmark", {})
    fetched = is_fetched(benchmark)
    if fetched:
        yield from checked(("benchmark",), {key: benchmark[key] for key in _SOURCE if key in benchmark})
        for key in benchmark.keys() - {*_SOURCE, "format"}:
            path = ("benchmark", key)
            yield path, f"'{key_path(path)}' is a size of the built-in benchmark; the one that is named has its own"
        if "membership" in document.get("robustness", {}):
            path = ("robustness", "membership")
            yield path, f"'{key_path(path)}' needs people whom nobody is taught, whom {_BUILT_IN}"
    if "harness" in document:
        yield from checked(("harness", "dataset"), document["harness"]["dataset"])
    for name, model in document["models"].items():
        here, elsewhere = ("models", name), [key for key in CHECKPOINTS if key in model]
        for key in elsewhere:
            yield from checked((*here, key), model[key])
        built_here = [path for path in _BUILT_HERE if elsewhere and _has(model, path)]
        for path in built_here:
            why = f"this one has a '{elsewhere[0]}'"
            yield (*here, *path), f"'{key_path((*here, *path))}' is for models built here; {why}"
        if not built_here and "start" not in model and ("vanilla" in model or fetched):
            why = "'vanilla' is given: the retain-only" if "vanilla" in model else "the benchmark is fetched: every"
            yield here, f"'{key_path(here)}' needs a 'start', since {why} model is trained from a pretrained checkpoint"


def _has(mapping: dict, path: tuple) -> bool:
    """Whether a key is given, at the end of a path through mappings."""
    for key in path:
        if key not in mapping:
            return False
        mapping = mapping[key]
    return True


_BUILT_IN = "only the built-in benchmark has (config/README.md)"


def _fetched_mistakes(study: dict) -> Iterator[_Mistake]:
    """What a study asks of a benchmark made elsewhere that only the built-in one has."""
    for name in tuned_methods(study):
        path = ("methods", name)
        yield path, f"'{key_path(path)}' leaves settings open; they are tried on people whom {_BUILT_IN}: give a value"


def _format_mistakes(study: dict) -> Iterator[_Mistake]:
    """What a study asks that its benchmark, in its format, does not have."""
    from manu.data.reading import FORMATS

    benchmark, asked = study["benchmark"], study["evaluation"]
    name, fetched = format_name(benchmark), is_fetched(benchmark)
    there = FORMATS[name]
    for key, known, what in (("splits", there.SPLITS, "set"), ("tasks", there.TASKS, "task")):
        path, ours = ("evaluation", key), () if fetched else _OURS
        for each in asked[key]:
            if each not in (*known, *ours):
                why = _BUILT_IN if each in _OURS else f"the format {name} does not have"
                yield path, f"'{key_path(path)}' has the {what} '{each}', which {why}; needed: [{', '.join(known)}]"
    figures = benchmark.get("public_figures", 0)
    if name == "clear" and not fetched and figures < len(LETTERS):
        path = ("benchmark", "public_figures")
        yield path, f"'{key_path(path)}' is {figures}; the format clear asks for one name among {len(LETTERS)}"


def _ratio_mistakes(study: dict) -> Iterator[_Mistake]:
    """Forget ratios that leave nobody to forget or to retain, and requests in turn that name nobody new."""
    from manu.data.splits import split_people

    people = [str(number) for number in range(study["benchmark"]["people"])]
    for place, ratio in enumerate(study["forget_ratios"]):
        try:
            split_people(people, ratio, seed=0)
        except UserError as error:
            yield ("forget_ratios", place), str(error)


def _combination_mistakes(study: dict) -> Iterator[_Mistake]:
    """Values that are right alone and wrong together."""
    yield from _fetched_mistakes(study) if is_fetched(study["benchmark"]) else _ratio_mistakes(study)
    yield from _format_mistakes(study)
    needed = study["tuning"]["trials"]
    for name, settings in study["methods"].items():
        there = trials.combinations(settings)
        if 1 < there < needed:
            place = ("methods", name)
            yield (
                place,
                f"'{key_path(place)}' has {there} settings to try; 'tuning.trials' asks for {needed} of each method",
            )
    for section in AT_ONE_RATIO:
        ratio, place = study[section]["forget_ratio"], (section, "forget_ratio")
        if ratio and ratio not in study["forget_ratios"]:
            known = ", ".join(map(str, study["forget_ratios"]))
            yield place, f"'{key_path(place)}' is {ratio}; it must be one of forget_ratios: {known}"
    steps = study["robustness"]["relearning"]["steps"]
    if steps != sorted(steps):
        place = ("robustness", "relearning", "steps")
        yield place, f"'{key_path(place)}' must ascend, not {_shown(steps)}"
    yield from _request_mistakes(study)
    for name, model in study["models"].items():
        if model["processes"] > 1 and model["device_map"] != "none":
            place = ("models", name, "processes")
            spread = f"'device_map' is {model['device_map']}, which spreads one over all GPUs"
            yield place, f"'{key_path(place)}': each process has a whole model on one GPU, and {spread}"
    for name in study["ablation"]["variants"]:
        place = ("ablation", "variants", name)
        if not _NAME.fullmatch(name):
            yield place, f"'{key_path(place)}': a variant's name has letters, digits, - and _ only"
        try:
            _variant(study, name)
        except UserError as error:
            yield place, f"'{key_path(place)}': {error}"
    yield from _figure_mistakes(study)


def _figure_mistakes(study: dict) -> Iterator[tuple[tuple[str, int], str]]:
    """Figures that cannot be drawn of what the study makes."""
    why = dict.fromkeys(OF_ROBUSTNESS, "is drawn by the target 'robustness'; leave it out here")
    if not methods_of_kind(study, "pruning"):
        why["masks"] = "shows pruned neurons; 'methods' has no pruning method"
    if not study["ablation"]["variants"]:
        why["ablation"] = "shows an ablation; 'ablation.variants' is empty"
    if not any(len(functions) == 1 for functions in variants_by_function(_readable_ablation(study)).values()):
        missing = "'ablation.variants' has no variant of one, such as only_abs: {functions: [abs]}"
        why["variants"] = f"shows importance functions alone; {missing}"
    for needs, reason in why.items():
        for name in figures_that_need(study, needs):
            yield ("figures", study["figures"].index(name)), f"figure '{name}' in 'figures' {reason}"


def _readable_ablation(study: dict) -> dict:
    """The ablation with all settings of its variants, without those that are a mistake of their own."""
    variants = {}
    for name in study["ablation"]["variants"]:
        with suppress(UserError):
            variants[name] = _variant(study, name)
    return study["ablation"] | {"variants": variants}


def _request_mistakes(study: dict) -> Iterator[_Mistake]:
    """Requests that cannot be made in turn."""
    place = ("robustness", "sequential", "requests")
    requests, where = study["robustness"]["sequential"]["requests"], f"'{key_path(place)}'"
    if requests != sorted(requests):
        yield place, f"{where} must ascend, not {', '.join(map(str, requests))}"
    for ratio in requests:
        if ratio not in study["forget_ratios"]:
            known = ", ".join(map(str, study["forget_ratios"]))
            yield place, f"{where} lists {ratio}; each must be one of forget_ratios: {known}"
    for before, ratio in pairwise(requests):
        if ratio not in _growing(study, [before, ratio]):
            nobody = f"{ratio} percent of the people are nobody whom {before} percent are not"
            yield place, f"{where}: {nobody}; list ratios that differ by a person"


def _growing(study: dict, ratios: Iterable[int]) -> list[int]:
    """The ratios, ascending, without those that are as many people as the one before; all of a fetched benchmark."""
    from manu.data.splits import forget_count

    if is_fetched(study["benchmark"]):
        return sorted(ratios)
    people = study["benchmark"]["people"]
    by_count = {forget_count(people, ratio): ratio for ratio in sorted(ratios, reverse=True)}
    return sorted(by_count.values())


def _method_settings(name: str, given: dict) -> dict:
    """All settings of a method, its own defaults included, the open ones with their candidates.

    Raises UserError as `create_method` does, whichever candidate is at fault.
    """
    from manu.unlearning.registry import create_method

    def filled(chosen: dict) -> dict:
        values = asdict(create_method(name, trials.fixed(given) | chosen))
        return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}

    try:
        candidates = trials.tuned(given)
    except UserError as error:
        raise UserError(f"method {name!r}: {error}") from None
    first = {key: values[0] for key, values in candidates.items()}
    settings = filled(first)
    for key, values in candidates.items():
        settings[key] = {trials.TUNE: [filled(first | {key: value})[key] for value in values]}
    return settings


def _variant(study: dict, name: str) -> dict:
    """The pruning method of an ablation's variant and all its settings. Raises UserError."""
    from manu.unlearning.registry import method_class

    ablation = study["ablation"]
    given = {"method": "manu", "prune_ratio": ablation["prune_ratio"], **ablation["variants"][name]}
    method = given.pop("method")
    if method_class(method).kind != "pruning":
        raise UserError(f"'{method}' does not prune")
    return {"method": method, "settings": _method_settings(method, given)}


def _text_mistakes(name: str, model: dict, sizes: type) -> Iterator[_Mistake]:
    """Of a model on a pretrained language model: where that is must be said once, and its sizes are its own."""
    from manu.models.base import text_sizes
    from manu.models.registry import vlm_class

    language, given = model.get("language_model"), model.get("architecture")
    if not isinstance(language, dict):  # there is none, or the schema has its say
        return
    place = ("models", name, "language_model")
    if not vlm_class(name).takes_language:
        yield place, f"'{key_path(place)}': {name} is built on no pretrained language model; leave the key out"
    if len(language) != 1:
        yield place, f"'{key_path(place)}' must have one of the keys package and path, not {len(language)}"
    for key in text_sizes(sizes):
        if isinstance(given, dict) and key in given:
            place = ("models", name, "architecture", key)
            brought = "a size of the text side, which 'language_model' brings: leave one of the two out"
            yield place, f"'{key_path(place)}' is {brought}"


def _sizes(name: str, given: dict) -> dict:
    """All sizes of a model built here. Raises UserError as the adapter's architecture does."""
    from manu.models.base import read_architecture
    from manu.models.registry import vlm_class

    where = key_path(("models", name, "architecture"))
    return asdict(read_architecture(vlm_class(name).architecture_class, given, where))


def _architecture(name: str, model: dict) -> dict:
    """All sizes of a model that matter: without those of the text side where a language model brings its own."""
    from manu.models.base import text_sizes
    from manu.models.registry import vlm_class

    brought = text_sizes(vlm_class(name).architecture_class) if "language_model" in model else ()
    return {key: value for key, value in _sizes(name, model["architecture"]).items() if key not in brought}


def _hint(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'splits'? known: ...`"""
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1)
    guess = f"; did you mean '{close[0]}'?" if close else ";"
    return f"{guess} known: {', '.join(known)}"


def _shown(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value)

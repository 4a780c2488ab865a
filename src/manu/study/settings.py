"""The settings of each job: what it may read of the study, and nothing else. One function per step, named like it.

A job runs again when its settings change, so a key belongs here only if the job's result may depend on it.
"""

import inspect
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from manu.analysis.tables import registry
from manu.analysis.tables.base import SOURCES, Table, methods_of
from manu.core.errors import UserError
from manu.data.profiles import TUNING
from manu.neurons.statistics.registry import source_file as statistics_file
from manu.neurons.statistics.registry import statistics_class
from manu.provenance.sources import PACKAGE
from manu.study.model import Harness, Study
from manu.unlearning import trials

Settings = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """A step's settings, and the keys of a job that name files which it runs: a model, a method, a figure."""

    settings: Callable[..., Settings]
    runs: tuple[str, ...] = ()

    @cached_property
    def keys(self) -> list[str]:
        """The keys of a job that its settings depend on."""
        return list(inspect.signature(self.settings).parameters)[1:]


STEPS: dict[str, Step] = {}


def step(*runs: str) -> Callable[[Callable[..., Settings]], Callable[..., Settings]]:
    """Register a function as the settings of the step of its name; runs: see `Step`."""

    def register(settings: Callable[..., Settings]) -> Callable[..., Settings]:
        STEPS[settings.__name__] = Step(settings, runs)
        return settings

    return register


def settings_of(study: Study, name: str, /, **job: Any) -> Settings:
    """The settings of one job of a step, with the files from outside the package that it runs.

    job: model, method, seed, ratio and so on; a key that the step does not use is ignored, one that is missing is None.
    """
    if name not in STEPS:
        raise UserError(f"step '{name}' has no settings")
    content = STEPS[name].settings(study, **{key: job.get(key) for key in STEPS[name].keys})
    outside = [file for file in files_run(study, name, **job) if PACKAGE not in file.parents]
    named = sorted(Path(os.path.relpath(file)).as_posix() for file in outside)
    return content | ({"extensions": named} if named else {})


def files_run(study: Study, name: str, /, **job: Any) -> list[Path]:
    """The files of models, methods, figures and metrics that a job runs beside its step."""
    from manu.analysis.figures.registry import source_file as figure_file
    from manu.evaluation.more_metrics import source_file as metric_file
    from manu.models.registry import source_file as model_file
    from manu.unlearning.registry import source_files as method_files

    files: dict[str, Callable[[], list[Path]]] = {
        "model": lambda: [model_file(job["model"])],
        "method": lambda: list(method_files(job["method"])),
        "kind": lambda: [statistics_file(job["kind"])],
        "variants": lambda: [file for method in ablation_methods(study) for file in method_files(method)],
        "table": lambda: [
            registry.source_file(job["table"]),
            *map(metric_file, make_table(study, job["table"]).get("metrics", ())),
        ],
        "tables": lambda: [registry.source_file(table) for table in page_tables(study, job["page"])],
        "figure": lambda: [figure_file(job["figure"])],
        "figures": lambda: [figure_file(figure) for figure in page_figures(study, job["page"])],
    }
    return list(dict.fromkeys(file for key in STEPS[name].runs for file in files[key]()))


# Data and models


@step()
def generate_benchmark(study: Study) -> Settings:
    """Sizes of the built-in benchmark, and of the people whom settings are chosen on."""
    sizes = filled(study.benchmark) | {f"tuning_{who}": number for who, number in tuning_sizes(study).items()}
    return {"benchmark": sizes, "forget_ratios": study.forget_ratios}


@step()
def fetch_benchmark(study: Study) -> Settings:
    """Where the benchmark lies, and the forget ratios that it must have."""
    benchmark = study.benchmark
    format_ = {"format": benchmark.format} if benchmark.format else {}
    return {"source": benchmark.given, "forget_ratios": study.forget_ratios} | format_


@step("model")
def fetch_model(study: Study, model: str, which: str) -> Settings:
    """Where a checkpoint lies. which: `start` or `vanilla`."""
    return {"model": model, "source": filled(getattr(study.models[model], which))}


@step("model")
def train(study: Study, model: str, seed: int, trained: str, ratio: int) -> Settings:
    """trained: base, vanilla or retain_only. A model that starts from a checkpoint has no base stage to rehearse."""
    given = study.models[model]
    content: Settings = {"stage": trained, "seed": seed, "model": model, "tuning": bool(study.tuned_methods())}
    content |= {"ratio": ratio} if trained == "retain_only" else {}
    content |= {"processes": given.processes} if given.processes > 1 else {}
    if trained == "base":
        # A language model that is built here has no weights to keep: all learn in full.
        lora_of_base = lora(study, model) if given.language_model else {}
        return content | lora_of_base | {"architecture": given.architecture, "training": filled(given.training.base)}
    apart = {"rehearsal", "looks"} if given.start else None
    recipe = given.training.vanilla.model_dump(exclude=apart, exclude_none=True)
    return content | loading(study, model) | lora(study, model) | {"training": recipe}


# Methods


@step("model", "kind")
def measure_statistics(study: Study, model: str, seed: int, kind: str) -> Settings:
    """How statistics of a kind are measured, for all methods and variants that choose neurons from them."""
    variants = [variant.settings for variant in study.ablation.variants.values()]
    return loaded(study, model, seed) | {"statistics": statistics(study, kind, [*study.methods.values(), *variants])}


@step("model", "method")
def unlearn(study: Study, model: str, seed: int, method: str) -> Settings:
    """A training method with its settings, without the open ones, which a choice brings."""
    return loaded(study, model, seed) | lora(study, model) | select_neurons(study, method)


@step("method")
def select_neurons(study: Study, method: str) -> Settings:
    """A pruning method with its settings, without the open ones."""
    return {"method": method, "settings": trials.fixed(study.methods[method])}


@step("method")
def write_prompt(study: Study, method: str) -> Settings:
    """A prompting method with its settings, without the open ones."""
    return select_neurons(study, method)


@step("variants")
def select_variants(study: Study) -> Settings:
    """The ablation's variants: a method and all its settings each."""
    return {"variants": {name: filled(variant) for name, variant in study.ablation.variants.items()}}


@step("model")
def select_random(study: Study, model: str, seed: int, share: int) -> Settings:
    """The share of random neurons to prune, in percent."""
    return loaded(study, model, seed) | {"prune_ratio": share}


@step()
def list_activations(study: Study) -> Settings:
    """Nothing: the inputs say it all."""
    return {}


@step("model", "method")
def tune(study: Study, model: str, seed: int, method: str) -> Settings:
    """The trials of a method's open settings, and the questions that score them."""
    fixed = trials.fixed(study.methods[method])
    asked = asked_of(study, model, seed, method, [TUNING])
    asked["evaluation"] = evaluation(study, ("forget", "retain", "celebrity"), ("classification", "cloze"))
    return asked | lora(study, model) | {"trials": [fixed | chosen for chosen in trials_of(study, method)]}


@step()
def choose_settings(study: Study, method: str) -> Settings:
    """The trials of a method, and how one of them is chosen."""
    return study.tuning.model_dump(include={"criterion", "keeps"}) | {"trials": trials_of(study, method)}


# Questions


@step("model")
def evaluate(study: Study, model: str, seed: int, method: str, ratio: int | None) -> Settings:
    """ratio: None for the vanilla model, which answers for every ratio, and under random masks, for the largest.

    The checkpoint that a model starts from is asked about the forget people alone, at every ratio.
    """
    every = method in ("vanilla", "start")
    ratios = [ratio] if ratio else study.forget_ratios if every else [max(study.forget_ratios)]
    asked = filled(study.evaluation) | ({"splits": ["forget"]} if method == "start" else {})
    return asked_of(study, model, seed, method, ratios) | {"evaluation": asked}


@step()
def check_memorisation(study: Study, model: str, seed: int) -> Settings:
    """The margin, and the forget ratio at which it must be reached."""
    return {"model": model, "seed": seed, "ratio": max(study.forget_ratios), "margin": study.memorisation.margin}


@step("model")
def evaluate_variants(study: Study, model: str, seed: int) -> Settings:
    """The variants, and the questions put to each: classification on forget and retain."""
    asked = asked_of(study, model, seed, "", [study.ablation.forget_ratio])
    del asked["method"]  # each variant is one
    questions = evaluation(study, ("forget", "retain"), ("classification",))
    return asked | {"evaluation": questions, "variants": list(study.ablation.variants)}


@step("model")
def attack(study: Study, model: str, seed: int, method: str) -> Settings:
    """The attacks on one model, at their forget ratio; membership needs people whom no model has learned."""
    ratios = [study.robustness.forget_ratio]
    asked = asked_of(study, model, seed, method, ratios) | lora(study, model)
    questions = filled(study.evaluation) | {"splits": ["forget"], "tasks": ["classification"]}
    apart = {"forget_ratio", "sequential", *(["membership"] if study.benchmark.is_fetched else [])}
    return asked | {"evaluation": questions, "robustness": study.robustness.model_dump(exclude=apart)}


@step("model", "method")
def forget_in_turn(study: Study, model: str, seed: int, method: str) -> Settings:
    """A method, the requests to forget that come one after the other, and the questions after each."""
    requests, settings = study.robustness.sequential.requests, study.methods[method]
    asked = asked_of(study, model, seed, method, [requests[-1]]) | lora(study, model)
    questions = filled(study.evaluation) | {"splits": ["forget", "retain"], "tasks": ["classification"]}
    turns = asked | {"evaluation": questions, "requests": requests, "settings": trials.fixed(settings)}
    kinds = statistics_of([method])
    return turns | ({"statistics": statistics(study, kinds[0], [settings])} if kinds else {})


@step()
def fetch_harness(study: Study) -> Settings:
    """Where the harness's dataset lies, and the tasks that read it."""
    return {"source": filled(harness_of(study).dataset), "tasks": harness_of(study).tasks}


@step("model")
def evaluate_harness(study: Study, model: str, seed: int, method: str, ratio: int | None) -> Settings:
    """A model as for `evaluate`, and the harness's own questions."""
    asked = evaluate(study, model, seed, method, ratio)
    del asked["evaluation"]  # the harness has its own questions
    return asked | {"harness": harness_of(study).model_dump(exclude={"dataset"}, exclude_none=True)}


# Tables, figures and pages


@step("table")
def make_table(study: Study, table: str) -> Settings:
    """What the table's file asks for."""
    return registry.table(table).settings(study)


@step("figure")
def draw(study: Study, figure: str) -> Settings:
    """The study's methods, and the variants for a figure of their masks."""
    drawn: Settings = {"methods": list(study.methods)}
    if figure in study.figures_that_need("variant_masks"):
        drawn["variants"] = study.ablation.by_function()
    return drawn


@step("figures", "tables")
def write_report(study: Study, page: str) -> Settings:
    """What the page says about the methods, and its tables."""
    return {"study": study.name, "methods": methods_of(study), "tables": page_tables(study, page)}


@step()
def write_explorer(study: Study) -> Settings:
    """The study's name and methods."""
    return {"study": study.name, "methods": list(study.methods)}


# Parts of settings


def filled(section: BaseModel) -> Settings:
    """A part of the study as a mapping, without the keys that are None."""
    return section.model_dump(exclude_none=True)


def loading(study: Study, model: str) -> Settings:
    """How a model's checkpoints are loaded."""
    return {"loading": study.models[model].model_dump(include={"precision", "gradient_checkpointing", "device_map"})}


def loaded(study: Study, model: str, seed: int) -> Settings:
    """A model, how it is loaded, and the job's seed."""
    return {"seed": seed, "model": model} | loading(study, model)


def lora(study: Study, model: str) -> Settings:
    """The adapters that a model's training jobs train; nothing where they train all weights."""
    given = study.models[model].lora
    return {"lora": filled(given)} if given else {}


def asked_of(study: Study, model: str, seed: int, method: str, ratios: list[int]) -> Settings:
    """What every job that asks a model has in its settings."""
    return {"study": study.name, "method": method, "ratios": ratios} | loaded(study, model, seed)


def harness_of(study: Study) -> Harness:
    """The study's tasks of lm-evaluation-harness. Raises UserError if it has none."""
    if study.harness is None:
        raise UserError(f"study '{study.name}' has no tasks of lm-evaluation-harness: its key 'harness' is missing")
    return study.harness


def evaluation(study: Study, splits: tuple[str, ...], tasks: tuple[str, ...]) -> Settings:
    """The study's evaluation, with no other splits and tasks than these."""
    few = {"splits": splits, "tasks": tasks}
    asked = filled(study.evaluation)
    return asked | {key: [name for name in names if name in asked[key]] for key, names in few.items()}


def trials_of(study: Study, method: str) -> list[Settings]:
    """The combinations of a method's open settings that are tried."""
    return trials.trials(study.methods[method], study.tuning.trials)


def statistics(study: Study, kind: str, settings: Iterable[Settings]) -> Settings:
    """How statistics of a kind are measured for methods and variants with these settings."""
    from manu.neurons.selection import MLP_INPUT

    asked: dict[str, list[Any]] = {}
    for each in settings:
        for name, value in each.items():
            asked.setdefault(name, []).extend(value[trials.TUNE] if isinstance(value, dict) else [value])
    cls, given = statistics_class(kind), study.statistics
    limit = {"retain_samples": given.retain_samples} if given.retain_samples and cls.whole_retain_set else {}
    live = {"idle_layers": False} if not given.idle_layers and cls.unit == MLP_INPUT else {}
    return {"batch_size": given.batch_size} | limit | live | cls.settings(filled(given), asked)


# Lists of names that the workflow's rules share


def tuning_sizes(study: Study) -> dict[str, int]:
    """The number of people and of public figures that settings are chosen on; none if no setting is open."""
    tuned = bool(study.tuned_methods())
    return {"people": tuned * study.tuning.people, "figures": tuned * study.tuning.figures}


def statistics_of(methods: Iterable[str]) -> list[str]:
    """The kinds of statistics that these methods score neurons from."""
    from manu.unlearning.registry import pruning_class

    classes = (pruning_class(name) for name in methods)
    return sorted({cls.statistics for cls in classes if cls})


def ablation_methods(study: Study) -> list[str]:
    """The pruning methods that the ablation varies."""
    return sorted({variant.method for variant in study.ablation.variants.values()})


def methods_by_activations(study: Study) -> list[str]:
    """The study's pruning methods that choose neurons from the sums of activations."""
    return [name for name in study.methods_of_kind("pruning") if statistics_of([name]) == ["modality"]]


def study_tables(study: Study, target: str = "all") -> dict[str, Table]:
    """The study's tables for one target, by name."""
    return registry.tables_of(study.tables, sources_of(study), target)


def sources_of(study: Study) -> list[str]:
    """The sources of tables and figures (manu.analysis.tables.base) that a study makes."""
    made: dict[str, Any] = {
        "start": study.gated_models(),
        "random": study.capacity.prune_ratios,
        "variants": study.ablation.variants,
        "trials": study.tuned_methods(),
        "choices": study.tuned_methods(),
        "neurons": methods_by_activations(study),
        "harness_scores": study.harness,
        "at_once": forgets_in_turn(study),
        "in_turn": forgets_in_turn(study),
        "masks": study.methods_of_kind("pruning"),
        "ablation_masks": study.ablation.variants,
        "variant_masks": study.ablation.by_function(),
    }
    return [source for source in SOURCES if made.get(source, True)]


def forgets_in_turn(study: Study) -> bool:
    """Whether there are requests that can come one after the other."""
    return len(study.robustness.sequential.requests) > 1


def robustness_figures(study: Study) -> list[str]:
    """The figures that are drawn from a table of the target `robustness`."""
    from manu.analysis.figures.registry import figure_module, known_figures

    return [name for name in known_figures() if figure_module(name).NEEDS in study_tables(study, "robustness")]


def page_tables(study: Study, page: str) -> list[str]:
    """The tables of a page: of `index` those of the target all, of `robustness` those of both targets."""
    return [*study_tables(study), *(study_tables(study, "robustness") if page == "robustness" else [])]


def page_figures(study: Study, page: str) -> list[str]:
    """The figures of a page: of `index` the study's, of `robustness` those of the attacks as well."""
    more = robustness_figures(study) if page == "robustness" else []
    return list(dict.fromkeys([*study.figures, *more]))

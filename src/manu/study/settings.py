"""Resolved configurations: for each job one YAML file with everything that it may read, and nothing else.

A job reruns when its file changes, so a key belongs here only if the job's result may depend on it.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from manu.core.errors import UserError
from manu.core.files import write_text
from manu.data.profiles import TUNING
from manu.evaluation.vocabulary import REFERENCES
from manu.provenance.sources import PACKAGE
from manu.study.loading import (
    CHECKPOINTS,
    figures_that_need,
    format_name,
    is_fetched,
    methods_of_kind,
    tuned_methods,
    variants_by_function,
)
from manu.unlearning import trials

_RUNS_METHOD = (
    "unlearn",
    "select_neurons",
    "write_prompt",
    "tune",
    "forget_in_turn",
)  # stages that run a method's file


def resolve(study: dict, stage: str, **cell) -> dict:
    """What one job of `stage` may read of `study` (from `load_study`).

    cell: the job's keys as the stage needs them (model, seed, method, ratio; for `train`
    which="base" | "vanilla" | "retain_only"; for `fetch_model` which="start" | "vanilla"; for `measure_statistics`
    kind, a name of statistics; for `draw` figure; for `write_report` figures).
    """
    content = _content(study, stage, **cell)
    if files := _extensions(study, stage, cell, content):
        content["extensions"] = files
    return content


def _extensions(study: dict, stage: str, cell: dict, content: dict) -> list[str]:
    """The study's files from outside the package that a job runs, as its record names them."""
    from manu.analysis.figures.registry import source_file as figure_file
    from manu.analysis.tables.registry import source_file as table_file
    from manu.evaluation.more_metrics import source_file as metric_file
    from manu.models.registry import source_file as model_file
    from manu.neurons.statistics.registry import source_file as statistics_file
    from manu.unlearning.registry import source_files as method_files

    models = [content["model"]] if "model" in content else []
    methods = (
        ablation_methods(study) if stage == "select_variants" else [cell["method"]] if stage in _RUNS_METHOD else []
    )
    figures = [cell["figure"]] if stage == "draw" else cell.get("figures", ())
    run = {*map(model_file, models), *map(figure_file, figures), *map(metric_file, content.get("metrics", ()))}
    run |= {statistics_file(cell["kind"])} if "kind" in cell else set()
    run |= set(map(table_file, [cell["table"]] if stage == "make_table" else cell.get("tables", ())))
    run |= {file for name in methods for file in method_files(name)}
    return sorted(Path(os.path.relpath(file)).as_posix() for file in run if PACKAGE not in file.parents)


def _content(study: dict, stage: str, **cell) -> dict:
    match stage:
        case "fetch_benchmark":
            source = {key: value for key, value in study["benchmark"].items() if key != "format"}
            user_message = {key: value for key, value in study["benchmark"].items() if key == "format"}
            return {"source": source, "forget_ratios": study["forget_ratios"], **user_message}
        case "fetch_model":
            return {"model": cell["model"], "source": study["models"][cell["model"]][cell["which"]]}
        case "generate_benchmark":
            sizes = study["benchmark"] | {f"tuning_{who}": number for who, number in tuning_sizes(study).items()}
            return {"benchmark": sizes, "forget_ratios": study["forget_ratios"]}
        case "train":
            model = study["models"][cell["model"]]
            keys = {"stage": cell["which"], "seed": cell["seed"], "model": cell["model"]}
            keys |= {"ratio": cell["ratio"]} if cell["which"] == "retain_only" else {}
            keys |= {"tuning": bool(tuned_methods(study))}
            training = model["training"]["vanilla"]
            keys |= {"processes": model["processes"]} if model["processes"] > 1 else {}
            if cell["which"] == "base":
                # a language model that is built here has nothing that adapters could keep: it learns in full
                keys |= _lora(study, cell["model"]) if "language_model" in model else {}
                return keys | {"architecture": model["architecture"], "training": model["training"]["base"]}
            if "start" in model:  # there are no base lessons to rehearse
                training = {key: value for key, value in training.items() if key != "rehearsal"}
            return keys | {
                "loading": loading(study, cell["model"]),
                **_lora(study, cell["model"]),
                "training": training,
            }
        case "unlearn":
            keys = {"seed": cell["seed"], "model": cell["model"], "loading": loading(study, cell["model"])}
            keys |= _lora(study, cell["model"])
            return keys | {"method": cell["method"], "settings": trials.fixed(study["methods"][cell["method"]])}
        case "select_neurons" | "write_prompt":
            return {"method": cell["method"], "settings": trials.fixed(study["methods"][cell["method"]])}
        case "tune":
            settings = study["methods"][cell["method"]]
            each = [trials.fixed(settings) | chosen for chosen in _trials(study, cell["method"])]
            asked = resolve(study, "evaluate", ratio=TUNING, **cell)
            evaluation = _evaluation(study, ("forget", "retain", "celebrity"), ("classification", "cloze"))
            return asked | _lora(study, cell["model"]) | {"evaluation": evaluation, "trials": each}
        case "choose_settings":
            return {"criterion": study["tuning"]["criterion"], "trials": _trials(study, cell["method"])}
        case "measure_statistics":
            variants = [variant["settings"] for variant in study["ablation"]["variants"].values()]
            statistics = _statistics(study, cell["kind"], [*study["methods"].values(), *variants])
            keys = {"seed": cell["seed"], "model": cell["model"], "loading": loading(study, cell["model"])}
            return keys | {"statistics": statistics}
        case "evaluate":
            return {
                "study": study["name"],
                "model": cell["model"],
                "method": cell["method"],
                "ratios": study["forget_ratios"] if cell["method"] == "vanilla" else [cell["ratio"]],
                "seed": cell["seed"],
                "loading": loading(study, cell["model"]),
                "evaluation": study["evaluation"],
            }
        case "fetch_harness":
            return {"source": study["harness"]["dataset"], "tasks": study["harness"]["tasks"]}
        case "evaluate_harness":
            asked = resolve(study, "evaluate", **cell)
            del asked["evaluation"]  # the harness has its own
            return asked | {"harness": {key: value for key, value in study["harness"].items() if key != "dataset"}}
        case "select_variants":
            return {"variants": study["ablation"]["variants"]}
        case "evaluate_variants":
            asked = resolve(study, "evaluate", method="", ratio=study["ablation"]["forget_ratio"], **cell)
            del asked["method"]  # each variant is one
            variants = list(study["ablation"]["variants"])
            return asked | {
                "variants": variants,
                "evaluation": _evaluation(study, ("forget", "retain"), ("classification",)),
            }
        case "attack":
            apart = ("forget_ratio", "sequential", *(["membership"] if is_fetched(study["benchmark"]) else []))
            robustness = {key: value for key, value in study["robustness"].items() if key not in apart}
            ratios = [study["robustness"]["forget_ratio"]]
            asked = resolve(study, "evaluate", ratio=ratios[0], **cell) | _lora(study, cell["model"])
            evaluation = study["evaluation"] | {"splits": ["forget"], "tasks": ["classification"]}
            return asked | {"ratios": ratios, "evaluation": evaluation, "robustness": robustness}
        case "forget_in_turn":
            requests, settings = study["robustness"]["sequential"]["requests"], study["methods"][cell["method"]]
            asked = resolve(study, "evaluate", ratio=requests[-1], **cell) | _lora(study, cell["model"])
            evaluation = study["evaluation"] | {"splits": ["forget", "retain"], "tasks": ["classification"]}
            turns = asked | {"evaluation": evaluation, "requests": requests, "settings": trials.fixed(settings)}
            kinds = _statistics_of([cell["method"]])
            return turns | ({"statistics": _statistics(study, *kinds, [settings])} if kinds else {})
        case "make_table":
            from manu.analysis.tables.registry import table

            return table(cell["table"]).settings(_View(study))
        case "select_random":
            keys = {"seed": cell["seed"], "model": cell["model"], "loading": loading(study, cell["model"])}
            return keys | {"prune_ratio": cell["share"]}
        case "list_activations":
            return {}
        case "draw":
            drawn = {"methods": list(study["methods"])}
            if cell["figure"] in figures_that_need(study, "variant_masks"):
                drawn["variants"] = variants_by_function(study["ablation"])
            return drawn
        case "write_report":
            return {
                "study": study["name"],
                "methods": {name: _table_row(study, name) for name in study["methods"]},
                "tables": cell["tables"],
            }
        case "write_explorer":
            return {"study": study["name"], "methods": list(study["methods"])}
    raise UserError(f"stage '{stage}' has no resolved configuration")


def resolved_files(study: dict) -> Iterator[tuple[str, dict]]:
    """Every job's (path, content), the path beside the job's output and relative to the working folder."""
    name = study["name"]
    results = f"results/{name}"
    made = "fetch_benchmark" if is_fetched(study["benchmark"]) else "generate_benchmark"
    yield f"data/{name}/{made}.yaml", resolve(study, made)
    for model, given in study["models"].items():
        for which in CHECKPOINTS:
            if which in given:
                source = resolve(study, "fetch_model", model=model, which=which)
                yield f"{results}/{model}/{which}/fetch_model.yaml", source
        for seed in study["seeds"]:
            keys = {"model": model, "seed": seed}
            folder, answers = f"{results}/{model}/seed{seed}", f"{results}/answers/{model}/seed{seed}"
            for trained, fetched in zip(("base", "vanilla"), CHECKPOINTS, strict=True):
                if fetched not in given:
                    yield f"{folder}/{trained}/train.yaml", resolve(study, "train", which=trained, **keys)
            yield f"{answers}/vanilla.yaml", resolve(study, "evaluate", method="vanilla", **keys)
            for share in study["capacity"]["prune_ratios"]:
                method, ratio = random_method(share), max(study["forget_ratios"])
                asked = resolve(study, "evaluate", method=method, ratio=ratio, **keys)
                yield f"{folder}/{method}/select_random.yaml", resolve(study, "select_random", share=share, **keys)
                yield f"{answers}/{method}.yaml", asked
            if study["ablation"]["variants"]:
                at = f"forget{study['ablation']['forget_ratio']:02d}"
                yield f"{folder}/{at}/ablation/variants.yaml", resolve(study, "select_variants")
                yield f"{answers}/{at}/ablation.yaml", resolve(study, "evaluate_variants", **keys)
            if seed == tuning_seed(study):
                yield from _tuning_files(study, folder, answers, keys)
            for ratio in study["forget_ratios"]:
                yield from _ratio_files(study, folder, answers, {**keys, "ratio": ratio})
    if "harness" in study:
        yield from _harness_files(study, results)
    yield from table_settings(study, "all")
    yield (
        f"{results}/report/index.yaml",
        resolve(study, "write_report", figures=study["figures"], tables=list(study_tables(study))),
    )
    yield f"{results}/report/explore.yaml", resolve(study, "write_explorer")
    for figure in study["figures"]:
        yield f"figures/{name}/{figure}.yaml", resolve(study, "draw", figure=figure)


def table_settings(study: dict, target: str) -> Iterator[tuple[str, dict]]:
    """(path, content) of the settings of every job that makes a table, beside its CSV file."""
    for name, table in study_tables(study, target).items():
        content = resolve(study, "make_table", table=name)
        for model in study["models"] if table.per_model else [""]:
            yield table.file(name, study["name"], model).removesuffix(".csv") + ".yaml", content


def study_tables(study: dict, target: str = "all"):
    """The study's tables of one target, by name (manu.analysis.tables.registry)."""
    from manu.analysis.tables.registry import tables_of

    return tables_of(study.get("tables"), sources_of(study), target)


def sources_of(study: dict) -> list[str]:
    """The sources of tables and figures (manu.analysis.tables.base) that a study makes."""
    from manu.analysis.tables.base import SOURCES

    made = {
        "random": study["capacity"]["prune_ratios"],
        "variants": study["ablation"]["variants"],
        "trials": tuned_methods(study),
        "choices": tuned_methods(study),
        "neurons": dissected_methods(study),
        "harness": "harness" in study,
        "at_once": forgets_in_turn(study),
        "sequential": forgets_in_turn(study),
        "masks": methods_of_kind(study, "pruning"),
        "variant_masks": variants_by_function(study["ablation"]),
    }
    return [source for source in SOURCES if made.get(source, True)]


class _View(dict):
    """A study whose keys are attributes."""

    def __init__(self, given: dict) -> None:
        super().__init__({key: _View(each) if isinstance(each, dict) else each for key, each in given.items()})

    def __getattr__(self, key: str):
        if key == "format_name":
            return format_name(self)
        return self[key]

    def model_dump(self) -> dict:
        return {key: each.model_dump() if isinstance(each, _View) else each for key, each in self.items()}

    def methods_of_kind(self, kind: str) -> list[str]:
        return methods_of_kind(self, kind)

    def tuned_methods(self) -> list[str]:
        return tuned_methods(self)

    def by_function(self) -> dict[str, list[str]]:
        return variants_by_function(self)


def _harness_files(study: dict, results: str) -> Iterator[tuple[str, dict]]:
    yield f"{results}/harness/fetch_harness.yaml", resolve(study, "fetch_harness")
    for model in study["models"]:
        for seed in study["seeds"]:
            folder, keys = f"{results}/harness/{model}/seed{seed}", {"model": model, "seed": seed}
            yield f"{folder}/vanilla.yaml", resolve(study, "evaluate_harness", method="vanilla", **keys)
            for ratio in study["forget_ratios"]:
                for method in ("retain_only", *utility_methods(study)):
                    asked = resolve(study, "evaluate_harness", method=method, ratio=ratio, **keys)
                    yield f"{folder}/forget{ratio:02d}/{method}.yaml", asked


def utility_methods(study: dict) -> list[str]:
    """The study's methods whose models the harness asks: all but prompting, which leaves the model as it is."""
    return [name for name in study["methods"] if name not in methods_of_kind(study, "prompting")]


def robustness_files(study: dict) -> Iterator[tuple[str, dict]]:
    """The same for the attacks, of the target `robustness`, which is no part of the study as a whole."""
    results = f"results/{study['name']}"
    at = f"forget{study['robustness']['forget_ratio']:02d}"
    for model in study["models"]:
        for seed in study["seeds"]:
            for method in (*REFERENCES, *study["methods"]):
                attack = resolve(study, "attack", model=model, seed=seed, method=method)
                yield f"{results}/robustness/{model}/seed{seed}/{at}/{method}.yaml", attack
    if forgets_in_turn(study):
        yield from _sequential_files(study, results)
    yield from table_settings(study, "robustness")
    figures = robustness_figures(study)
    shown = {
        "figures": [*study["figures"], *figures],
        "tables": [*study_tables(study), *study_tables(study, "robustness")],
    }
    yield f"{results}/report/robustness.yaml", resolve(study, "write_report", **shown)
    for figure in figures:
        yield f"figures/{study['name']}/{figure}.yaml", resolve(study, "draw", figure=figure)


def _sequential_files(study: dict, results: str) -> Iterator[tuple[str, dict]]:
    for model in study["models"]:
        for seed in study["seeds"]:
            for method in study["methods"]:
                turns = resolve(study, "forget_in_turn", model=model, seed=seed, method=method)
                yield f"{results}/sequential/{model}/seed{seed}/{method}.yaml", turns


def forgets_in_turn(study: dict) -> bool:
    """Whether there are requests that can come one after the other."""
    return len(study["robustness"]["sequential"]["requests"]) > 1


def robustness_figures(study: dict) -> list[str]:
    """The figures that are drawn from a table of the target `robustness`."""
    from manu.analysis.figures.registry import figure_module, known_figures

    return [name for name in known_figures() if figure_module(name).NEEDS in study_tables(study, "robustness")]


def write_resolved(study: dict) -> None:
    """Write every job's resolved configuration; a file whose content stays the same is left untouched."""
    for path, content in (*resolved_files(study), *robustness_files(study)):
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
        if not os.path.isfile(path) or Path(path).read_text(encoding="utf-8") != text:
            write_text(path, text)


def _ratio_files(study: dict, folder: str, answers: str, keys: dict) -> Iterator[tuple[str, dict]]:
    at = f"forget{keys['ratio']:02d}"
    stage_of_kind = {"training": "unlearn", "pruning": "select_neurons", "prompting": "write_prompt"}
    yield f"{folder}/{at}/retain_only/train.yaml", resolve(study, "train", which="retain_only", **keys)
    yield f"{answers}/{at}/retain_only.yaml", resolve(study, "evaluate", method="retain_only", **keys)
    for kind, stage in stage_of_kind.items():
        for method in methods_of_kind(study, kind):
            yield f"{folder}/{at}/{method}/{stage}.yaml", resolve(study, stage, method=method, **keys)
            yield f"{answers}/{at}/{method}.yaml", resolve(study, "evaluate", method=method, **keys)
    for method in dissected_methods(study):
        yield f"{folder}/{at}/{method}/activations.yaml", resolve(study, "list_activations")
    for kind in statistics_kinds(study):
        yield f"{folder}/{at}/statistics/{kind}.yaml", resolve(study, "measure_statistics", kind=kind, **keys)


def _tuning_files(study: dict, folder: str, answers: str, keys: dict) -> Iterator[tuple[str, dict]]:
    for method in tuned_methods(study):
        yield f"{answers}/tuning/{method}.yaml", resolve(study, "tune", method=method, **keys)
        yield f"{folder}/tuning/{method}/choice.yaml", resolve(study, "choose_settings", method=method)
    for kind in tuned_statistics(study):
        measured = resolve(study, "measure_statistics", kind=kind, **keys)
        yield f"{folder}/forget{TUNING:02d}/statistics/{kind}.yaml", measured


def loading(study: dict, model: str) -> dict:
    """How a model's checkpoints are loaded."""
    return {key: study["models"][model][key] for key in ("precision", "gradient_checkpointing", "device_map")}


def _trials(study: dict, method: str) -> list[dict]:
    return trials.trials(study["methods"][method], study["tuning"]["trials"])


def tuning_sizes(study: dict) -> dict[str, int]:
    """How many people and public figures (figures) hyperparameters are chosen on; none if no setting is open."""
    return {who: study["tuning"][who] if tuned_methods(study) else 0 for who in ("people", "figures")}


def tuning_seed(study: dict) -> int:
    """The seed whose vanilla model the trials start from: the first."""
    return study["seeds"][0]


def tuned_statistics(study: dict) -> list[str]:
    """Which activation statistics the trials score neurons from."""
    return _statistics_of(tuned_methods(study))


def _statistics(study: dict, kind: str, settings: Iterable[dict]) -> dict:
    """How statistics of a kind are measured for methods and variants with these settings."""
    from manu.neurons.statistics.registry import statistics_class

    asked: dict[str, list] = {}
    for each in settings:
        for name, value in each.items():
            asked.setdefault(name, []).extend(value[trials.TUNE] if isinstance(value, dict) else [value])
    return {"batch_size": study["statistics"]["batch_size"]} | statistics_class(kind).settings(
        study["statistics"], asked
    )


def dissected_methods(study: dict) -> list[str]:
    """The study's pruning methods that choose neurons from the sums of activations."""
    from manu.unlearning.registry import method_class

    return [name for name in methods_of_kind(study, "pruning") if method_class(name).statistics == "modality"]


def _evaluation(study: dict, splits: tuple[str, ...], tasks: tuple[str, ...]) -> dict:
    """The study's evaluation, of no more than these splits and tasks."""
    asked, few = study["evaluation"], {"splits": splits, "tasks": tasks}
    return asked | {key: [name for name in names if name in asked[key]] for key, names in few.items()}


def _lora(study: dict, model: str) -> dict:
    """How a model's training jobs adapt it; nothing where they train all weights."""
    return {"lora": study["models"][model]["lora"]} if "lora" in study["models"][model] else {}


def random_method(share: int) -> str:
    """The name under which answers are kept of the vanilla model without `share` percent of random neurons."""
    return f"random{share}"


def statistics_kinds(study: dict) -> list[str]:
    """Which activation statistics the study's pruning methods and ablations score neurons from."""
    return _statistics_of([*study["methods"], *ablation_methods(study)])


def ablation_methods(study: dict) -> list[str]:
    """The pruning methods that the ablation varies."""
    return sorted({variant["method"] for variant in study["ablation"]["variants"].values()})


def ablation_statistics(study: dict) -> list[str]:
    """Which activation statistics the ablation's variants score neurons from."""
    return _statistics_of(ablation_methods(study))


def _statistics_of(methods: Iterable[str]) -> list[str]:
    from manu.unlearning.registry import pruning_class

    classes = (pruning_class(name) for name in methods)
    return sorted({cls.statistics for cls in classes if cls})


def _table_row(study: dict, method: str) -> dict:
    """What the main table says about a method: its kind and, for pruning, the ratio in percent."""
    from manu.unlearning.registry import method_class

    settings = trials.fixed(study["methods"][method])
    return {"kind": method_class(method).kind} | {key: settings[key] for key in ("prune_ratio",) if key in settings}

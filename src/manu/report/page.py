"""The report of a finished study as one HTML page that needs nothing else: data in, text out.

The same data give the same text. Everything that comes from data is shown as text, whatever it holds.
"""

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Template

from manu.analysis.cells import row_order
from manu.analysis.claims import INCONCLUSIVE
from manu.analysis.figures.claims_overview import VERDICTS
from manu.analysis.figures.style import MODALITY_COLOURS
from manu.analysis.grid import TableOnPage
from manu.analysis.outcomes import OUTCOMES
from manu.analysis.page_rows import by_model, directions
from manu.provenance.lineage import fingerprint
from manu.report import claims, costs, methods, pruning, robustness, tuning
from manu.report.chains import Chains
from manu.report.drawing import picture
from manu.report.prose import to_html
from manu.report.rendering import allowed, environment, own

_KINDS = {"training": "trained", "prompting": "prompted", "pruning": "pruned"}


@dataclass(frozen=True)
class Figure:
    """A figure: the path of its SVG file, that file's text, and the title and caption of its module."""

    path: str
    svg: str
    title: str
    caption: str


@dataclass(frozen=True)
class Study:
    """What the page is made from.

    methods: name -> {"kind", for pruning "prune_ratio"}, in the study's order; tables: CSV files; records: path ->
    content of the jobs' records; deviations: docs/deviations.md.
    """

    name: str
    methods: Mapping[str, Mapping]
    tables: Sequence[TableOnPage]
    figures: Sequence[Figure]
    records: Mapping[str, Mapping]
    deviations: str

    def table(self, name: str) -> TableOnPage | None:
        """The table of this name (without ending) if it is there and holds rows."""
        return next((table for table in self.tables if table.name == name and table.rows), None)

    def tables_per_model(self, kind: str) -> list[TableOnPage]:
        """The tables <kind>_<model>, each with rows."""
        return [table for table in self.tables if table.name.startswith(f"{kind}_") and table.rows]


def page(study: Study) -> str:
    """The report's HTML. A section whose table is missing is left out. Raises UserError on a figure that is no SVG."""
    chains = Chains(study.name, study.records, [each.path for each in (*study.tables, *study.figures)])
    scripts = [own("sort.js"), own("links.js")]
    return _template(study).render(
        study=study,
        facts=_facts(study),
        chains=chains,
        style=own("style.css") + _colours(),
        scripts=scripts,
        script_hashes=[allowed(script) for script in scripts],
        drawings=[_drawing(figure, chains) for figure in study.figures],
        deviations=to_html(study.deviations),
        costs=costs.costs_grid(list(study.records.values())) if study.records else None,
        **_tables_of_methods(study, chains),
        **_tables_of_pruning(study, chains),
        **_tables_of_attacks(study, chains),
    )


def _template(study: Study) -> Template:
    templates = environment()
    templates.filters["beside"] = lambda path: _relative(path, study.name)
    return templates.get_template("template.html.j2")


def _tables_of_methods(study: Study, chains: Chains) -> dict:
    """What the sections about claims, methods and the paper show; what a study does not have is empty."""
    names, arrows = list(study.methods), directions(study.table("scores"))
    judged, outcomes, paired, comparison = map(study.table, ("claims", "outcomes", "paired_tests", "comparison"))
    measured = {row["metric"] for row in outcomes.rows} if outcomes else set()
    return {
        "tuning": [tuning.tuning_grid(part, chains) for part in by_model(study.table("tuning")).values()],
        "claims": claims.claims(judged, study.table("claims_by_run"), names, chains) if judged else [],
        "diverged": study.table("diverged"),
        "main": [
            (table, table.rows[0]["model"], methods.main_grids(table, arrows, chains))
            for table in study.tables_per_model("main")
        ],
        "standing": [methods.standing_grid(part, names, chains) for part in by_model(study.table("standing")).values()],
        "outcomes": [(model, methods.outcome_grid(part, names, chains)) for model, part in by_model(outcomes).items()],
        "outcome_means": {
            model: methods.outcome_grid(part, names, chains, "mean")
            for model, part in by_model(methods.outcomes_over_seeds(study.table("seeds"))).items()
        },
        "outcome_texts": [
            (head, OUTCOMES[metric].description)
            for metric, (head, _) in methods.OUTCOMES_SHOWN.items()
            if metric in measured
        ],
        "paired": [
            (model, len(part.rows), methods.count_significant(part), methods.paired_grid(part, chains))
            for model, part in by_model(paired).items()
        ],
        "statuses": methods.status_counts(comparison) if comparison else [],
        "comparison": methods.comparison_grid(comparison, chains) if comparison else None,
    }


def _tables_of_pruning(study: Study, chains: Chains) -> dict:
    """What the sections about pruning show; what a study does not have is empty."""
    arrows, anatomy = directions(study.table("scores")), study.table("anatomy")
    parts = dict.fromkeys(row["part"] for row in anatomy.rows) if anatomy else {}
    return {
        "ablation": [pruning.ablation_grid(table, arrows, chains) for table in study.tables_per_model("ablation")],
        "capacity": [pruning.capacity_grid(table, chains) for table in study.tables_per_model("capacity")],
        "anatomy": [(part, pruning.anatomy_grid(anatomy, part, chains)) for part in parts],
        "anatomy_sentence": pruning.anatomy_sentence(anatomy) if anatomy else "",
    }


def _tables_of_attacks(study: Study, chains: Chains) -> dict:
    """What the section about robustness shows; what a study does not have is empty."""
    attacked, names = study.table("robustness"), list(study.methods)
    return {
        "attacks": robustness.attacks_shown(attacked) if attacked else [],
        "robustness": robustness.robustness_parts(attacked, names, chains),
        "sequential": robustness.sequential_parts(study.table("sequential"), names, chains),
    }


@dataclass(frozen=True)
class Facts:
    """The study in short, for the head of the page."""

    models: Sequence[str]
    methods: Sequence[str]  # one text per kind
    ratios: Sequence[str]
    seeds: Sequence[str]
    answers: int | None
    devices: Sequence[str]
    commits: Sequence[str]
    jobs: int
    seconds: float
    fingerprint: str
    scale: str  # what the study's models are, in words, where they are not the published ones
    inconclusive: str

    @property
    def time(self) -> str:
        """The jobs' time in words."""
        minutes, seconds = divmod(round(self.seconds), 60)
        hours, minutes = divmod(minutes, 60)
        parts = [f"{hours} h"] * (hours > 0) + [f"{minutes} min"] * (hours + minutes > 0)
        return " ".join([*parts, f"{seconds} s"])


def _facts(study: Study) -> Facts:
    scores, records = study.table("scores"), list(study.records.values())
    rows = scores.rows if scores else [row for table in study.tables_per_model("main") for row in table.rows]
    used = [record["device"] for record in records if record["device"]["threads"]]
    devices = {
        ", ".join(str(part) for part in (d["gpu"] or d["processor"], d["instructions"], d["system"]) if part)
        + f", {d['threads']} thread{'s' * (d['threads'] > 1)}"
        for d in used
    }
    commits = {
        f"{(r['repository']['commit'] or 'unknown')[:12]}{' with changes' if r['repository']['clean'] is False else ''}"
        for r in records
    }
    order = row_order(list(study.methods))
    there = {row["method"] for row in rows}
    return Facts(
        models=sorted({row["model"] for row in rows}),
        methods=_by_kind([name for name in order if name in there], study.methods),
        ratios=sorted({row["forget_ratio"] for row in rows}, key=int),
        seeds=sorted({row["seed"] for row in scores.rows}, key=int) if scores else [],
        answers=_answers(scores) if scores else None,
        devices=sorted(devices),
        commits=sorted(commits),
        jobs=len(records),
        seconds=sum(record["cost"]["wall_seconds"] for record in records),
        fingerprint=fingerprint(records) if records else "",
        scale=next((text for text in map(_scale, records) if text), ""),
        inconclusive=INCONCLUSIVE,
    )


def _by_kind(names: Sequence[str], methods: Mapping[str, Mapping]) -> list[str]:
    """The methods in words, kind by kind."""
    kinds: dict[str, list[str]] = {}
    for name in names:
        settings = methods.get(name, {"kind": "references"})
        ratio = settings.get("prune_ratio")
        kinds.setdefault(settings["kind"], []).append(name if ratio is None else f"{name} ({ratio:g} %)")
    return [f"{_KINDS.get(kind, kind)}: {', '.join(listed)}" for kind, listed in kinds.items()]


def _answers(scores: TableOnPage) -> int:
    """Answers behind the scores: each cell once, whatever is measured on it."""
    keys = ("model", "method", "forget_ratio", "seed", "split", "modality", "task")
    return sum({tuple(row[key] for key in keys): int(row["n"]) for row in scores.rows}.values())


def _scale(record: Mapping) -> str:
    given = record["configuration"]["content"].get("comparison")
    return given["models"] if given and not given["comparable"] else ""


@dataclass(frozen=True)
class Drawing:
    """A figure in the page: its id, the files of its numbers, its data address, and its size in CSS pixels."""

    anchor: str
    chain: str
    title: str
    caption: str
    path: str
    csv: str
    picture: str
    width: int
    height: int


def _drawing(figure: Figure, chains: Chains) -> Drawing:
    stem = Path(figure.path).stem
    csv = posixpath.splitext(figure.path)[0] + ".csv"
    chain = chains.file(figure.path)
    return Drawing(f"figure-{stem}", chain, figure.title, figure.caption, figure.path, csv, *picture(figure.svg, stem))


def _relative(path: str, study: str) -> str:
    """A file of the repository as a link from where the page lies; empty for one outside of it."""
    if path.startswith(("/", "..")):
        return ""
    return posixpath.relpath(path, f"results/{study}/report")


def _colours() -> str:
    """The figures' colours as style rules."""
    rules = [
        f".v-{verdict.replace(' ', '-')} {{ color: {ink}; background: {background}; }}"
        for verdict, (_, ink, background) in VERDICTS.items()
    ]
    rules += [f"th.{modality} {{ border-bottom-color: {colour}; }}" for modality, colour in MODALITY_COLOURS.items()]
    return "\n".join(rules) + "\n"

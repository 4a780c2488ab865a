"""The data of the page, and the facts for its head."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from manu.analysis.cells import row_order
from manu.analysis.grid import TableOnPage
from manu.analysis.tables.base import Table
from manu.provenance.lineage import fingerprint

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
    """The data of the page.

    methods: name -> {"kind", for pruning "prune_ratio"}, in the study's order; tables: CSV files; records: path ->
    content of the jobs' records; deviations: docs/deviations.md; definitions: name -> what each of the tables is.
    """

    name: str
    methods: Mapping[str, Mapping]
    tables: Sequence[TableOnPage]
    figures: Sequence[Figure]
    records: Mapping[str, Mapping]
    deviations: str
    definitions: Mapping[str, Table]

    def table(self, name: str) -> TableOnPage | None:
        """The table of this name (without ending) if it is there and holds rows."""
        return next((table for table in self.tables if table.name == name and table.rows), None)

    def tables_per_model(self, kind: str) -> list[TableOnPage]:
        """The tables <kind>_<model>, each with rows, sorted by model as the rows of other tables are."""
        named = [table for table in self.tables if table.name.startswith(f"{kind}_")]
        found = [table for table in named if table.name not in self.definitions and table.rows]
        return sorted(found, key=lambda table: table.name)


@dataclass(frozen=True)
class Facts:
    """The study in short."""

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
    scale: str  # words for the study's models, if they are not the published ones

    @property
    def time(self) -> str:
        """The jobs' time in words."""
        minutes, seconds = divmod(round(self.seconds), 60)
        hours, minutes = divmod(minutes, 60)
        parts = [f"{hours} h"] * (hours > 0) + [f"{minutes} min"] * (hours + minutes > 0)
        return " ".join([*parts, f"{seconds} s"])


def facts_of(study: Study) -> Facts:
    """The facts, from scores (without them, from the main tables) and records."""
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
    """The number of answers behind the scores. Several metrics of a cell share its answers."""
    keys = ("model", "method", "forget_ratio", "seed", "split", "modality", "task")
    return sum({tuple(row[key] for key in keys): int(row["n"]) for row in scores.rows}.values())


def _scale(record: Mapping) -> str:
    given = record["configuration"]["content"].get("comparison")
    return given["models"] if given and not given["comparable"] else ""

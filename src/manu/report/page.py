"""The report of a finished study as one HTML page that needs nothing else: data in, text out.

The same data give the same text. Everything that comes from data is shown as text, whatever it holds.
"""

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Template

from manu.analysis.cells import row_order
from manu.analysis.claims import VERDICTS
from manu.analysis.figures.style import MODALITY_COLOURS
from manu.analysis.grid import Cell, Grid, TableOnPage
from manu.analysis.page import Block, Fold, Page
from manu.analysis.tables.base import Table
from manu.provenance.lineage import fingerprint
from manu.report.chains import Chains
from manu.report.drawing import picture
from manu.report.prose import inline, to_html
from manu.report.rendering import allowed, environment, own

SECTIONS = {  # id -> heading
    "claims": "Claims",
    "main-tables": "Main table",
    "distance-to-goal": "Distance to goal",
    "outcomes": "Outcomes",
    "paired": "Paired tests",
    "robustness": "Robustness",
    "ablation": "Ablation",
    "tuning": "Tuning",
    "capacity": "Capacity",
    "activations": "Activations",
    "utility": "General utility",
    "paper": "The paper beside ours",
    "costs": "Costs",
}
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
        """The tables <kind>_<model>, each with rows."""
        return [table for table in self.tables if table.name.startswith(f"{kind}_") and table.rows]


def page(study: Study) -> str:
    """The report's HTML. A section whose tables hold no rows is left out. Raises UserError on a figure that is no SVG."""
    chains = Chains(study.name, study.records, [each.path for each in (*study.tables, *study.figures)])
    scripts = [own("sort.js"), own("links.js")]
    sections = _sections(study, chains)
    return _template(study).render(
        study=study,
        facts=_facts(study),
        chains=chains,
        style=own("style.css") + _colours(),
        scripts=scripts,
        script_hashes=[allowed(script) for script in scripts],
        drawings=[_drawing(figure, chains) for figure in study.figures],
        deviations=to_html(study.deviations),
        sections=sections,
        example=_example(sections),
    )


@dataclass(frozen=True)
class Shown:
    """A table on the page: its definition, its files, and the blocks of all of them."""

    name: str
    table: Table
    files: Sequence[TableOnPage]
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Section:
    """A section of the page; id: of its heading."""

    id: str
    title: str
    shown: Sequence[Shown]


def _sections(study: Study, chains: Chains) -> list[Section]:
    """The sections that show something, in the order of SECTIONS; others come after those."""
    about = Page(list(study.methods), chains, {each.name: each for each in study.tables if each.rows}, study.records)
    found: dict[str, list[Shown]] = {}
    for name, table in study.definitions.items():
        files = study.tables_per_model(name) if table.per_model else [file for file in [study.table(name)] if file]
        blocks = [block for file in files for block in table.shown(file, about)]
        if blocks:
            found.setdefault(table.section, []).append(Shown(name, table, files, blocks))
    order = [*(id for id in SECTIONS if id in found), *(id for id in found if id not in SECTIONS)]
    return [Section(id, SECTIONS.get(id, found[id][0].table.title), found[id]) for id in order]


def _example(sections: Sequence[Section]) -> str:
    """The command that audits a number of the main table; empty without one."""
    blocks = [
        block for section in sections if section.id == "main-tables" for each in section.shown for block in each.blocks
    ]
    return next((cell.command for cell in _cells(blocks) if cell.command), "")


def _cells(blocks: Sequence[Block]) -> Iterator[Cell]:
    for block in blocks:
        if isinstance(block, Grid):
            yield from (cell for row in reversed(block.rows) for cell in row)
        elif isinstance(block, Fold):
            yield from _cells(block.blocks)


def _template(study: Study) -> Template:
    templates = environment()
    templates.filters["inline"] = inline
    templates.tests["block"] = lambda block, kind: type(block).__name__ == kind
    templates.filters["beside"] = lambda path: _relative(path, study.name)
    return templates.get_template("template.html.j2")


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

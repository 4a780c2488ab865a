"""The report of a finished study as one HTML page without other files: data in, text out.

The same data give the same page. All data are shown as text, never as markup.
"""

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Template

from manu.analysis.claims import VERDICTS
from manu.analysis.figures.style import MODALITY_COLOURS
from manu.analysis.grid import Cell, Grid, TableOnPage
from manu.analysis.page import Block, Fold, Page
from manu.analysis.tables.base import Table
from manu.report.chains import Chains
from manu.report.drawing import picture
from manu.report.prose import inline, to_html
from manu.report.rendering import allowed, environment, own
from manu.report.study import Figure, Study, facts_of

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


def page(study: Study) -> str:
    """The report's HTML. A section whose tables have no rows is left out. Raises UserError if a figure is no SVG."""
    shown = [*sorted(table.path for table in study.tables), *(figure.path for figure in study.figures)]
    chains = Chains(study.name, study.records, shown)
    scripts = [own("sort.js"), own("links.js")]
    sections = _sections(study, chains)
    return _template(study).render(
        study=study,
        facts=facts_of(study),
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
    tables = {table.name: table for table in study.tables if table.rows}
    about = Page(list(study.methods), chains, tables, study.records)
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
    """A link from the page to a file of the repository; empty for a file outside."""
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

# The pages, from tables, figures and records: `index` of the whole study; `robustness`, the same with the attacks.
# Beside them `explore`, from the answers: every question and reply.
PAGES = {  # page -> the targets whose tables and figures it shows
    "index": ("all",),
    "robustness": ("all", "robustness"),
}


def assets(*names):
    """Files of the package that a page is made with, beside its code."""
    return [f"src/manu/report/{name}" for name in names]


def tables_of_page(wildcards):
    """The tables of a page, as CSV files."""
    return table_files(*PAGES[wildcards.page])


def figures_of_page(wildcards):
    """The figures of a page, as SVG files."""
    return [f"figures/{NAME}/{figure}.svg" for figure in page_figures(STUDY, wildcards.page)]


def records_before(wildcards):
    """The records of all jobs before a page."""
    return snakemake_internals.records_behind(workflow, [*tables_of_page(wildcards), *figures_of_page(wildcards)])


rule write_report:
    input:
        config=settings("results/{study}/report/{page}.yaml", "write_report"),
        tables=tables_of_page,
        figures=figures_of_page,
        records=records_before,
        deviations="docs/deviations.md",
        sources=sources("write_report"),
        assets=assets("links.js", "sort.js", "style.css", "template.html.j2"),
    output:
        page=shown("results/{study}/report/{page}.html", "Study page", "{page}", "page"),
        record="results/{study}/report/{page}.provenance.json",
    wildcard_constraints:
        page=one_of(PAGES),
    log:
        "logs/{study}/write_report_{page}.log",
    shell:
        "{STAGE}.write_report --tables {input.tables} --figures {input.figures} --records {input.records}"
        " --deviations {input.deviations} --assets {input.assets} --out {output.page}" + JOB


rule write_explorer:
    input:
        config=settings("results/{study}/report/explore.yaml", "write_explorer"),
        answers=of_models(ANSWERS_OF_MODEL),
        benchmark=BENCHMARK,
        sources=sources("write_explorer"),
        assets=assets("explore.css", "explore.html.j2", "explore.js", "style.css"),
    output:
        page=shown("results/{study}/report/explore.html", "Study page", "explore", "explore"),
        record="results/{study}/report/explore.provenance.json",
    log:
        "logs/{study}/write_explorer.log",
    shell:
        "{STAGE}.write_explorer --answers {input.answers} --benchmark {DATA} --assets {input.assets}"
        " --out {output.page}" + JOB

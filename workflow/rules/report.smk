# The pages, from tables, figures and records: `index` of the whole study; `robustness`, the same with the attacks.
# Beside them `explore`, from the answers: every question and reply.
CONFIGS = [path for path, _ in resolved_files(STUDY)]
PAGES = {  # page -> its tables, its figures, and the configurations of the jobs before it
    "index": (table_files("all"), FIGURES, CONFIGS),
    "robustness": (
        table_files("all", "robustness"),
        list(dict.fromkeys(FIGURES + ROBUSTNESS_FIGURES)),
        list(dict.fromkeys(CONFIGS + [path for path, _ in robustness_files(STUDY)])),
    ),
}


def assets(*names):
    """Files of the package that a page is made with, beside its code."""
    return [f"src/manu/report/{name}" for name in names]


def page_sources(wildcards):
    """The package files that a page's job runs, those of its tables and figures included."""
    tables, figures, _ = PAGES[wildcards.page]
    shown = [table_registry.source_file(name) for name, each in TABLES.items() if set(of_models([each.file(name, NAME)])) & set(tables)]
    return source_files("write_report", *shown, *(file for figure in figures for file in SOURCE_OF["figure"](figure)))


def records_before(wildcards):
    """The records of all jobs before a page; a page is not made from one."""
    *_, configs = PAGES[wildcards.page]
    return [str(record_path(path)) for path in configs if not path.startswith(f"results/{NAME}/report/")]


rule write_report:
    input:
        config="results/{study}/report/{page}.yaml",
        tables=lambda wildcards: PAGES[wildcards.page][0],
        figures=lambda wildcards: [f"figures/{NAME}/{figure}.svg" for figure in PAGES[wildcards.page][1]],
        records=records_before,
        deviations="docs/deviations.md",
        sources=page_sources,
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
        config="results/{study}/report/explore.yaml",
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

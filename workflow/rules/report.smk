# One page about the whole study, from its tables, figures and records.
TABLE_FILES = [
    rules.aggregate.output.scores,
    rules.measure_outcomes.output.outcomes,
    rules.tabulate_costs.output.costs,
    rules.compare_methods.output.tests,
    rules.judge_claims.output.claims,
    rules.judge_claims.output.cells,
    rules.tabulate_standing.output.standing,
    rules.compare_reported.output.comparison,
    rules.tabulate_seeds.output.seeds,
    *expand(rules.tabulate.output.csv, model=MODELS, allow_missing=True),
    *expand(rules.tabulate_capacity.output.capacity, model=MODELS if SHARES else [], allow_missing=True),
    *expand(rules.tabulate_ablation.output.ablation, model=MODELS if VARIANTS else [], allow_missing=True),
    *([rules.tabulate_tuning.output.tuning] if TUNED else []),
    *([rules.tabulate_anatomy.output.anatomy] if DISSECTED else []),
]
REPORT = f"results/{NAME}/report/index"
ASSETS = sorted(str(path) for ending in ("css", "js", "j2") for path in Path("src/manu/report").glob(f"*.{ending}"))
RECORDS = [str(record_path(path)) for path, _ in resolved_files(STUDY) if path != f"{REPORT}.yaml"]


rule write_report:
    input:
        config="results/{study}/report/index.yaml",
        tables=TABLE_FILES,
        figures=expand("figures/{study}/{figure}.svg", figure=FIGURES, allow_missing=True),
        records=RECORDS,
        deviations="docs/deviations.md",
        sources=lambda wildcards: source_files(
            "write_report", *(file for figure in FIGURES for file in SOURCE_OF["figure"](figure))
        ),
        assets=ASSETS,
    output:
        page=shown("results/{study}/report/index.html", "Study page", "page", "the whole study"),
        record="results/{study}/report/index.provenance.json",
    log:
        "logs/{study}/write_report.log",
    shell:
        "{STAGE}.write_report --tables {input.tables} --figures {input.figures} --records {input.records}"
        " --deviations {input.deviations} --assets {input.assets} --out {output.page}" + JOB

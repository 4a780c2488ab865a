# A figure is drawn from the scores, from the masks or from a table, whichever its module says that it needs.


rule draw_scores:
    input:
        config="figures/{study}/{figure}.yaml",
        scores=rules.aggregate.output.scores,
        sources=sources("draw", "figure"),
    output:
        png="figures/{study}/{figure}.png",
        svg="figures/{study}/{figure}.svg",
        csv="figures/{study}/{figure}.csv",
        record="figures/{study}/{figure}.provenance.json",
    wildcard_constraints:
        figure=one_of(figures_that_need(STUDY, "scores")),
    log:
        "logs/{study}/draw_{figure}.log",
    shell:
        "{STAGE}.draw --figure {wildcards.figure} --scores {input.scores}"
        " --png {output.png} --svg {output.svg} --csv {output.csv}" + JOB


rule draw_masks:
    input:
        config="figures/{study}/{figure}.yaml",
        masks=expand(
            rules.select_neurons.output.mask,
            model=MODELS,
            seed=SEEDS,
            ratio=RATIOS,
            method=PRUNING,
            allow_missing=True,
        ),
        sources=sources("draw", "figure"),
    output:
        png="figures/{study}/{figure}.png",
        svg="figures/{study}/{figure}.svg",
        csv="figures/{study}/{figure}.csv",
        record="figures/{study}/{figure}.provenance.json",
    wildcard_constraints:
        figure=one_of(figures_that_need(STUDY, "masks")),
    log:
        "logs/{study}/draw_{figure}.log",
    shell:
        "{STAGE}.draw --figure {wildcards.figure} --masks {input.masks}"
        " --png {output.png} --svg {output.svg} --csv {output.csv}" + JOB


TABLES = {
    "outcomes": [rules.measure_outcomes.output.outcomes],
    "costs": [rules.tabulate_costs.output.costs],
    "ablation": expand(rules.tabulate_ablation.output.ablation, model=MODELS, allow_missing=True),
    "neurons": rules.tabulate_anatomy.input.neurons,
    "claims": [rules.judge_claims.output.claims],
    "comparison": [rules.compare_reported.output.comparison],
}


def tables_of_figure(wildcards):
    """The tables that a figure is drawn from."""
    return [path.replace("{study}", NAME) for path in TABLES[figure_module(wildcards.figure).NEEDS]]


rule draw_tables:
    input:
        config="figures/{study}/{figure}.yaml",
        tables=tables_of_figure,
        sources=sources("draw", "figure"),
    output:
        png="figures/{study}/{figure}.png",
        svg="figures/{study}/{figure}.svg",
        csv="figures/{study}/{figure}.csv",
        record="figures/{study}/{figure}.provenance.json",
    wildcard_constraints:
        figure=one_of([name for needs in TABLES for name in figures_that_need(STUDY, needs)]),
    log:
        "logs/{study}/draw_{figure}.log",
    shell:
        "{STAGE}.draw --figure {wildcards.figure} --tables {input.tables}"
        " --png {output.png} --svg {output.svg} --csv {output.csv}" + JOB

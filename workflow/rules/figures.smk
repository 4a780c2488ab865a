# A figure is drawn from the scores, from the masks or from a table, whichever its module says that it needs.


def drawn_from(files, figure):
    """Those of `files` (what a figure may need -> paths) that a figure is drawn from."""
    return [path.replace("{study}", NAME) for path in files[figure_module(figure).NEEDS]]


def caption_of_figure(wildcards):
    """What stands below a figure in Snakemake's report."""
    return figure_module(wildcards.figure).CAPTION


rule draw_scores:
    input:
        config="figures/{study}/{figure}.yaml",
        scores="results/{study}/scores.csv",
        sources=sources("draw", "figure"),
    output:
        png="figures/{study}/{figure}.png",
        svg=shown("figures/{study}/{figure}.svg", "Figures", "{figure}"),
        csv="figures/{study}/{figure}.csv",
        record="figures/{study}/{figure}.provenance.json",
    params:
        caption=caption_of_figure,
    wildcard_constraints:
        figure=one_of(figures_that_need(STUDY, "scores")),
    log:
        "logs/{study}/draw_{figure}.log",
    shell:
        "{STAGE}.draw --figure {wildcards.figure} --scores {input.scores}"
        " --png {output.png} --svg {output.svg} --csv {output.csv}" + JOB


MASKS = {
    "masks": expand(
        rules.select_neurons.output.mask,
        model=MODELS,
        seed=SEEDS,
        ratio=RATIOS,
        method=PRUNING,
        allow_missing=True,
    ),
    "variants": expand(
        "results/{study}/{model}/seed{seed}/forget{ratio}/ablation/{variant}/mask.safetensors",
        model=MODELS,
        seed=SEEDS,
        ratio=f"{STUDY['ablation']['forget_ratio']:02d}",
        variant=variants_by_function(STUDY["ablation"]),
        allow_missing=True,
    ),
}


rule draw_masks:
    input:
        config="figures/{study}/{figure}.yaml",
        masks=lambda wildcards: drawn_from(MASKS, wildcards.figure),
        sources=sources("draw", "figure"),
    output:
        png="figures/{study}/{figure}.png",
        svg=shown("figures/{study}/{figure}.svg", "Figures", "{figure}"),
        csv="figures/{study}/{figure}.csv",
        record="figures/{study}/{figure}.provenance.json",
    params:
        caption=caption_of_figure,
    wildcard_constraints:
        figure=one_of([name for needs in MASKS for name in figures_that_need(STUDY, needs)]),
    log:
        "logs/{study}/draw_{figure}.log",
    shell:
        "{STAGE}.draw --figure {wildcards.figure} --masks {input.masks}"
        " --png {output.png} --svg {output.svg} --csv {output.csv}" + JOB


FIGURE_TABLES = {
    "outcomes": ["results/{study}/outcomes.csv"],
    "costs": [f"results/{NAME}/costs.csv"],
    "ablation": expand(rules.tabulate_ablation.output.ablation, model=MODELS, allow_missing=True),
    "neurons": rules.tabulate_anatomy.input.neurons,
    "claims": [rules.judge_claims.output.claims],
    "comparison": [rules.compare_reported.output.comparison],
    "robustness": [rules.tabulate_robustness.output.robustness],
    "sequential": [rules.tabulate_sequential.output.sequential],
}


rule draw_tables:
    input:
        config="figures/{study}/{figure}.yaml",
        tables=lambda wildcards: drawn_from(FIGURE_TABLES, wildcards.figure),
        sources=sources("draw", "figure"),
    output:
        png="figures/{study}/{figure}.png",
        svg=shown("figures/{study}/{figure}.svg", "Figures", "{figure}"),
        csv="figures/{study}/{figure}.csv",
        record="figures/{study}/{figure}.provenance.json",
    params:
        caption=caption_of_figure,
    wildcard_constraints:
        figure=one_of([name for needs in FIGURE_TABLES for name in figures_that_need(STUDY, needs)] + robustness_figures(STUDY)),
    log:
        "logs/{study}/draw_{figure}.log",
    shell:
        "{STAGE}.draw --figure {wildcards.figure} --tables {input.tables}"
        " --png {output.png} --svg {output.svg} --csv {output.csv}" + JOB

# A figure is drawn from the scores or from the masks, whichever its module says that it needs.


rule draw_scores:
    input:
        config="figures/{study}/{figure}.yaml",
        scores=rules.aggregate.output[0],
        sources=sources("draw", "figure"),
    output:
        multiext("figures/{study}/{figure}", ".png", ".svg", ".csv"),
    wildcard_constraints:
        figure=one_of(figures_that_need(STUDY, "scores")),
    log:
        "logs/{study}/draw_{figure}.log",
    shell:
        "{STAGE}.draw --config {input.config} --figure {wildcards.figure} --scores {input.scores}"
        " --out figures/{wildcards.study}/{wildcards.figure} --log {log}"


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
        multiext("figures/{study}/{figure}", ".png", ".svg", ".csv"),
    wildcard_constraints:
        figure=one_of(figures_that_need(STUDY, "masks")),
    log:
        "logs/{study}/draw_{figure}.log",
    shell:
        "{STAGE}.draw --config {input.config} --figure {wildcards.figure} --masks {input.masks}"
        " --out figures/{wildcards.study}/{wildcards.figure} --log {log}"

# A figure is drawn from the scores or from the masks, whichever its module says that it needs.


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

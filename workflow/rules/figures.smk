# Figures: each is drawn from one source or one table, whichever its module says that it needs.
ROBUSTNESS_FIGURES = robustness_figures(STUDY)


def files_of_figure(wildcards):
    """The files that a figure is drawn from."""
    return of_models(files_of_source(figure_module(wildcards.figure).NEEDS))


rule draw:
    input:
        config=settings("figures/{study}/{figure}.yaml", "draw"),
        files=files_of_figure,
        sources=sources("draw"),
    output:
        png="figures/{study}/{figure}.png",
        svg=shown("figures/{study}/{figure}.svg", "Figures", "{figure}"),
        csv="figures/{study}/{figure}.csv",
        record="figures/{study}/{figure}.provenance.json",
    params:
        caption=lambda wildcards: figure_module(wildcards.figure).CAPTION,
        source=lambda wildcards: figure_module(wildcards.figure).NEEDS,
    wildcard_constraints:
        figure=one_of([*FIGURES, *ROBUSTNESS_FIGURES]),
    log:
        "logs/{study}/draw_{figure}.log",
    shell:
        "{STAGE}.draw --figure {wildcards.figure} --source {params.source} {input.files}"
        " --png {output.png} --svg {output.svg} --csv {output.csv}" + JOB

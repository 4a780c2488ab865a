# General utility by lm-evaluation-harness, in a study that names tasks of it.
UTILITY = ["retain_only", *utility_methods(STUDY)]


rule fetch_harness:
    input:
        config="results/{study}/harness/fetch_harness.yaml",
        sources=sources("fetch_harness"),
    output:
        manifest="results/{study}/harness/dataset/files.json",
        record="results/{study}/harness/fetch_harness.provenance.json",
    log:
        "logs/{study}/fetch_harness.log",
    priority: 100
    shell:
        "{STAGE}.fetch_harness --out {output.manifest}" + JOB


rule evaluate_harness:
    input:
        config="results/{study}/harness/{model}/seed{seed}/forget{ratio}/{method}.yaml",
        dataset=rules.fetch_harness.output.manifest,
        checkpoint=checkpoint_of_asked,
        mask=lambda wildcards: rules.select_neurons.output.mask if wildcards.method in PRUNING else [],
        sources=sources("evaluate_harness", "model"),
    output:
        scores="results/{study}/harness/{model}/seed{seed}/forget{ratio}/{method}.csv",
        answers="results/{study}/harness/{model}/seed{seed}/forget{ratio}/{method}.parquet",
        record="results/{study}/harness/{model}/seed{seed}/forget{ratio}/{method}.provenance.json",
    params:
        dataset=subpath(input.dataset, parent=True),
        checkpoint=subpath(input.checkpoint, parent=True),
        mask=lambda wildcards, input: optional("mask", input.mask),
    wildcard_constraints:
        method=one_of(UTILITY),
    log:
        "logs/{study}/{model}/seed{seed}/forget{ratio}/evaluate_harness_{method}.log",
    resources:
        gpu=GPU,
    shell:
        "{STAGE}.evaluate_harness --dataset {params.dataset} --checkpoint {params.checkpoint} {params.mask}"
        " --scores {output.scores} --answers {output.answers}" + JOB


use rule evaluate_harness as evaluate_harness_vanilla with:
    input:
        config="results/{study}/harness/{model}/seed{seed}/vanilla.yaml",
        dataset=rules.fetch_harness.output.manifest,
        checkpoint=vanilla_of,
        mask=[],
        sources=sources("evaluate_harness", "model"),
    output:
        scores="results/{study}/harness/{model}/seed{seed}/vanilla.csv",
        answers="results/{study}/harness/{model}/seed{seed}/vanilla.parquet",
        record="results/{study}/harness/{model}/seed{seed}/vanilla.provenance.json",
    log:
        "logs/{study}/{model}/seed{seed}/evaluate_harness_vanilla.log",


rule tabulate_harness:
    input:
        config="results/{study}/tables/harness.yaml",
        scores=[
            *expand(rules.evaluate_harness_vanilla.output.scores, model=MODELS, seed=SEEDS, allow_missing=True),
            *expand(
                rules.evaluate_harness.output.scores,
                model=MODELS,
                seed=SEEDS,
                ratio=RATIOS,
                method=UTILITY,
                allow_missing=True,
            ),
        ],
        sources=sources("tabulate_harness"),
    output:
        csv=shown("results/{study}/tables/harness.csv", "Tables", "harness", "general utility"),
        markdown="results/{study}/tables/harness.md",
        record="results/{study}/tables/harness.provenance.json",
    log:
        "logs/{study}/tabulate_harness.log",
    shell:
        "{STAGE}.tabulate_harness --scores {input.scores} --csv {output.csv} --markdown {output.markdown}" + JOB

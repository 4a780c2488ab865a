# General utility by lm-evaluation-harness, in a study that names tasks of it.
UTILITY = [method for method in ASKED if method not in PROMPTING]


rule fetch_harness:
    input:
        config=settings("results/{study}/harness/fetch_harness.yaml", "fetch_harness"),
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
        config=settings("results/{study}/harness/{model}/seed{seed}/{at}{method}.yaml", "evaluate_harness"),
        dataset=rules.fetch_harness.output.manifest,
        checkpoint=checkpoint_of,
        mask=mask_of,
        sources=sources("evaluate_harness"),
    output:
        scores="results/{study}/harness/{model}/seed{seed}/{at}{method}.csv",
        answers="results/{study}/harness/{model}/seed{seed}/{at}{method}.parquet",
        record="results/{study}/harness/{model}/seed{seed}/{at}{method}.provenance.json",
    params:
        dataset=subpath(input.dataset, parent=True),
        checkpoint=subpath(input.checkpoint, parent=True),
        options=options("mask"),
    wildcard_constraints:
        method=one_of(["vanilla", *UTILITY]),
    log:
        "logs/{study}/{model}/seed{seed}/{at}evaluate_harness_{method}.log",
    resources:
        gpu=GPU,
    shell:
        "{STAGE}.evaluate_harness --dataset {params.dataset} --checkpoint {params.checkpoint} {params.options}"
        " --scores {output.scores} --answers {output.answers}" + JOB

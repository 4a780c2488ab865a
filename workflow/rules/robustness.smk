# Attacks on the models of one forget ratio; the target `robustness`, no part of the study as a whole.
ATTACKED = {"seed": SEEDS, "ratio": f"{STUDY.robustness.forget_ratio:02d}"}


rule attack:
    input:
        config=settings("results/{study}/robustness/{model}/seed{seed}/forget{ratio}/{method}.yaml", "attack"),
        benchmark=BENCHMARK,
        checkpoint=checkpoint_of,
        mask=mask_of,
        system_prompt=prompt_of,
        sources=sources("attack"),
    output:
        answers="results/{study}/robustness/{model}/seed{seed}/forget{ratio}/{method}.parquet",
        signals="results/{study}/robustness/{model}/seed{seed}/forget{ratio}/{method}.signals.parquet",
        record="results/{study}/robustness/{model}/seed{seed}/forget{ratio}/{method}.provenance.json",
    params:
        checkpoint=subpath(input.checkpoint, parent=True),
        options=options("mask", "system_prompt"),
    wildcard_constraints:
        method=one_of(["vanilla", *ASKED]),
    log:
        "logs/{study}/{model}/seed{seed}/forget{ratio}/attack_{method}.log",
    resources:
        gpu=GPU,
    shell:
        "{STAGE}.attack --benchmark {DATA} --checkpoint {params.checkpoint} {params.options}"
        " --answers {output.answers} --signals {output.signals}" + JOB

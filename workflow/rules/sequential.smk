# Requests to forget one after the other, against all at once; part of the target `robustness`.
REQUESTS = [f"{request:02d}" for request in STUDY.robustness.sequential.requests]
IN_TURN = {"seed": SEEDS, "method": list(STUDY.methods)}
AT_ONCE = {**IN_TURN, "ratio": REQUESTS[-1]}


rule forget_in_turn:
    input:
        config=settings("results/{study}/sequential/{model}/seed{seed}/{method}.yaml", "forget_in_turn"),
        benchmark=BENCHMARK,
        vanilla=vanilla_of,
        choice=choice_of_method,
        references=lambda wildcards: [path for ratio in REQUESTS if (path := retain_only_at(wildcards, ratio))],
        sources=sources("forget_in_turn"),
    output:
        answers="results/{study}/sequential/{model}/seed{seed}/{method}.parquet",
        record="results/{study}/sequential/{model}/seed{seed}/{method}.provenance.json",
    params:
        vanilla=subpath(input.vanilla, parent=True),
        options=options("choice"),
        references=folders("references"),
    wildcard_constraints:
        method=one_of(IN_TURN["method"]),
    log:
        "logs/{study}/{model}/seed{seed}/forget_in_turn_{method}.log",
    resources:
        gpu=GPU,
    shell:
        "{STAGE}.forget_in_turn --benchmark {DATA} --vanilla {params.vanilla} {params.options} {params.references}"
        " --out {output.answers}" + JOB

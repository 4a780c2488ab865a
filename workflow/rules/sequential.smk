# Requests to forget one after the other, against all at once; part of the target `robustness`.
IN_TURN = {"seed": SEEDS, "method": list(STUDY.methods)}
AT_ONCE = {**IN_TURN, "ratio": f"{STUDY.robustness.sequential.requests[-1]:02d}"}


rule forget_in_turn:
    input:
        config=settings("results/{study}/sequential/{model}/seed{seed}/{method}.yaml", "forget_in_turn"),
        benchmark=BENCHMARK,
        vanilla=vanilla_of,
        choice=choice_of_method,
        sources=sources("forget_in_turn"),
    output:
        answers="results/{study}/sequential/{model}/seed{seed}/{method}.parquet",
        record="results/{study}/sequential/{model}/seed{seed}/{method}.provenance.json",
    params:
        vanilla=subpath(input.vanilla, parent=True),
        options=options("choice"),
    wildcard_constraints:
        method=one_of(IN_TURN["method"]),
    log:
        "logs/{study}/{model}/seed{seed}/forget_in_turn_{method}.log",
    resources:
        gpu=GPU,
    shell:
        "{STAGE}.forget_in_turn --benchmark {DATA} --vanilla {params.vanilla} {params.options}"
        " --out {output.answers}" + JOB

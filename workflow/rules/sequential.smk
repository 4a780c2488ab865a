# Requests to forget one after the other, against all at once; part of the target `robustness`.
IN_TURN = {"model": MODELS, "seed": SEEDS, "method": list(STUDY["methods"])}
AT_ONCE = {**IN_TURN, "ratio": f"{STUDY['robustness']['sequential']['requests'][-1]:02d}"}


rule forget_in_turn:
    input:
        config="results/{study}/sequential/{model}/seed{seed}/{method}.yaml",
        benchmark=BENCHMARK,
        vanilla=vanilla_of,
        choice=choice_of_method,
        sources=sources("forget_in_turn", "model", "method"),
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


rule tabulate_sequential:
    input:
        config="results/{study}/tables/sequential.yaml",
        stored=expand(METHOD_ANSWERS, **AT_ONCE, allow_missing=True),
        answers=expand(rules.forget_in_turn.output.answers, **IN_TURN, allow_missing=True),
        sources=sources("tabulate_sequential"),
    output:
        sequential=shown("results/{study}/tables/sequential.csv", "Tables", "sequential", "sequential"),
        record="results/{study}/tables/sequential.provenance.json",
    log:
        "logs/{study}/tabulate_sequential.log",
    shell:
        "{STAGE}.tabulate_sequential --stored {input.stored} --answers {input.answers}"
        " --out {output.sequential}" + JOB

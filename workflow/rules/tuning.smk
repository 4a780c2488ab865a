# Open settings: every method's trials on the tuning people, from the first seed's vanilla model, and the choice.


def statistics_of_tuning(wildcards):
    """The statistics of the tuning people, for a method that prunes."""
    statistics = statistics_of_method(wildcards)
    return statistics.replace("{ratio}", f"{TUNING:02d}") if statistics else []


rule tune:
    input:
        config=settings("results/{study}/answers/{model}/seed{seed}/tuning/{method}.yaml", "tune"),
        benchmark=BENCHMARK,
        vanilla=vanilla_of,
        statistics=statistics_of_tuning,
        sources=sources("tune"),
    output:
        trials="results/{study}/answers/{model}/seed{seed}/tuning/{method}.parquet",
        record="results/{study}/answers/{model}/seed{seed}/tuning/{method}.provenance.json",
    params:
        vanilla=subpath(input.vanilla, parent=True),
        options=options("statistics"),
    wildcard_constraints:
        method=one_of(TUNED),
    log:
        "logs/{study}/{model}/seed{seed}/tune_{method}.log",
    priority: 75
    resources:
        gpu=GPU,
    shell:
        "{STAGE}.tune --benchmark {DATA} --vanilla {params.vanilla} {params.options}"
        " --out {output.trials}" + JOB


rule choose_settings:
    input:
        config=settings("results/{study}/{model}/seed{seed}/tuning/{method}/choice.yaml", "choose_settings"),
        trials=rules.tune.output.trials,
        vanilla="results/{study}/answers/{model}/seed{seed}/vanilla.parquet",
        sources=sources("choose_settings"),
    output:
        choice="results/{study}/{model}/seed{seed}/tuning/{method}/choice.json",
        record="results/{study}/{model}/seed{seed}/tuning/{method}/choice.provenance.json",
    wildcard_constraints:
        method=one_of(TUNED),
    log:
        "logs/{study}/{model}/seed{seed}/choose_{method}.log",
    priority: 74
    shell:
        "{STAGE}.choose_settings --trials {input.trials} --vanilla {input.vanilla} --out {output.choice}" + JOB

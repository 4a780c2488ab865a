rule generate_benchmark:
    input:
        config="data/{study}/generate_benchmark.yaml",
        sources=sources("generate_benchmark"),
    output:
        benchmark=expand(
            "data/{{study}}/{part}/train-00000-of-00001.parquet",
            part=config_names([*STUDY["forget_ratios"], *([TUNING] if tuned_methods(STUDY) else [])]),
        ),
        record="data/{study}/generate_benchmark.provenance.json",
    log:
        "logs/{study}/generate_benchmark.log",
    priority: 100
    shell:
        "{STAGE}.generate_benchmark --out data/{wildcards.study}" + JOB

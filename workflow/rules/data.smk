rule generate_benchmark:
    input:
        config="data/{study}/generate_benchmark.yaml",
        sources=sources("generate_benchmark"),
    output:
        expand(
            "data/{{study}}/{part}/train-00000-of-00001.parquet",
            part=config_names(STUDY["forget_ratios"]),
        ),
    log:
        "logs/{study}/generate_benchmark.log",
    priority: 100
    shell:
        "{STAGE}.generate_benchmark --config {input.config} --out data/{wildcards.study} --log {log}"

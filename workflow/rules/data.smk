LANGUAGE_TEXTS = "data/language" if "language" in STUDY["evaluation"]["splits"] else ""


rule generate_benchmark:
    input:
        config="data/{study}/generate_benchmark.yaml",
        language=[f"{LANGUAGE_TEXTS}/{file}" for file in (language.PASSAGES, language.SENTENCES) if LANGUAGE_TEXTS],
        sources=sources("generate_benchmark"),
    output:
        benchmark=expand(
            "data/{{study}}/{part}/train-00000-of-00001.parquet",
            part=[
                *config_names([*STUDY["forget_ratios"], *([TUNING] if tuned_methods(STUDY) else [])]),
                *([language.CONFIG] if LANGUAGE_TEXTS else []),
            ],
        ),
        record="data/{study}/generate_benchmark.provenance.json",
    params:
        language=optional("language", LANGUAGE_TEXTS),
    log:
        "logs/{study}/generate_benchmark.log",
    priority: 100
    shell:
        "{STAGE}.generate_benchmark {params.language} --out data/{wildcards.study}" + JOB

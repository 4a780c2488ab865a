LANGUAGE_TEXTS = "data/language" if "language" in STUDY.evaluation.splits else ""


WRITTEN = [*STUDY.forget_ratios, *([TUNING] if TUNED else [])]


rule generate_benchmark:
    input:
        config=settings("data/{study}/generate_benchmark.yaml", "generate_benchmark"),
        language=[f"{LANGUAGE_TEXTS}/{file}" for file in (language.PASSAGES, language.SENTENCES) if LANGUAGE_TEXTS],
        sources=sources("generate_benchmark"),
    output:
        benchmark=expand(
            "data/{{study}}/{part}/train-00000-of-00001.parquet",
            part=[
                *config_names(WRITTEN, STUDY.benchmark.format_name),
                *([language.CONFIG] if LANGUAGE_TEXTS else []),
            ],
        ),
        record="data/{study}/generate_benchmark.provenance.json",
    params:
        language=option("language", LANGUAGE_TEXTS),
    log:
        "logs/{study}/generate_benchmark.log",
    priority: 100
    shell:
        "{STAGE}.generate_benchmark {params.language} --out data/{wildcards.study}" + JOB


rule fetch_benchmark:
    input:
        config=settings("data/{study}/fetch_benchmark.yaml", "fetch_benchmark"),
        sources=sources("fetch_benchmark"),
    output:
        benchmark="data/{study}/fetched/files.json",
        record="data/{study}/fetch_benchmark.provenance.json",
    log:
        "logs/{study}/fetch_benchmark.log",
    priority: 100
    shell:
        "{STAGE}.fetch_benchmark --out {output.benchmark}" + JOB


# The files that every job reads, and the folder given to it. Of a fetched benchmark this is a manifest of its files.
FETCHED = STUDY.benchmark.is_fetched
BENCHMARK = (rules.fetch_benchmark if FETCHED else rules.generate_benchmark).output.benchmark
DATA = f"data/{NAME}/fetched" if FETCHED else f"data/{NAME}"

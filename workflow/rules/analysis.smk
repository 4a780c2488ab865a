rule aggregate:
    input:
        config="results/{study}/aggregate.yaml",
        vanilla=expand(rules.evaluate_vanilla.output[0], model=MODELS, seed=SEEDS, allow_missing=True),
        answers=expand(
            rules.evaluate_trained.output[0],
            model=MODELS,
            seed=SEEDS,
            ratio=RATIOS,
            method=ASKED,
            allow_missing=True,
        ),
        sources=sources("aggregate"),
    output:
        "results/{study}/scores.csv",
    log:
        "logs/{study}/aggregate.log",
    shell:
        "{STAGE}.aggregate --config {input.config} --answers {input.vanilla} {input.answers} --out {output} --log {log}"


rule tabulate:
    input:
        config="results/{study}/tables/main_{model}.yaml",
        scores=rules.aggregate.output[0],
        sources=sources("tabulate"),
    output:
        csv="results/{study}/tables/main_{model}.csv",
        markdown="results/{study}/tables/main_{model}.md",
    log:
        "logs/{study}/tabulate_{model}.log",
    shell:
        "{STAGE}.tabulate --config {input.config} --scores {input.scores} --model {wildcards.model}"
        " --csv {output.csv} --markdown {output.markdown} --log {log}"

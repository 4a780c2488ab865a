rule aggregate:
    input:
        config="results/{study}/aggregate.yaml",
        vanilla=expand(rules.evaluate_vanilla.output.answers, model=MODELS, seed=SEEDS, allow_missing=True),
        answers=expand(
            rules.evaluate_trained.output.answers,
            model=MODELS,
            seed=SEEDS,
            ratio=RATIOS,
            method=ASKED,
            allow_missing=True,
        ),
        sources=sources("aggregate"),
    output:
        scores="results/{study}/scores.csv",
        record="results/{study}/aggregate.provenance.json",
    log:
        "logs/{study}/aggregate.log",
    shell:
        "{STAGE}.aggregate --answers {input.vanilla} {input.answers} --out {output.scores}" + JOB


rule tabulate:
    input:
        config="results/{study}/tables/main_{model}.yaml",
        scores=rules.aggregate.output.scores,
        sources=sources("tabulate"),
    output:
        csv="results/{study}/tables/main_{model}.csv",
        markdown="results/{study}/tables/main_{model}.md",
        record="results/{study}/tables/main_{model}.provenance.json",
    log:
        "logs/{study}/tabulate_{model}.log",
    shell:
        "{STAGE}.tabulate --scores {input.scores} --model {wildcards.model}"
        " --csv {output.csv} --markdown {output.markdown}" + JOB


rule tabulate_capacity:
    input:
        config="results/{study}/tables/capacity_{model}.yaml",
        vanilla=expand(rules.evaluate_vanilla.output.answers, seed=SEEDS, allow_missing=True),
        pruned=expand(rules.evaluate_random.output.answers, seed=SEEDS, share=SHARES, allow_missing=True),
        sources=sources("tabulate_capacity"),
    output:
        capacity="results/{study}/tables/capacity_{model}.csv",
        record="results/{study}/tables/capacity_{model}.provenance.json",
    log:
        "logs/{study}/tabulate_capacity_{model}.log",
    shell:
        "{STAGE}.tabulate_capacity --vanilla {input.vanilla} --pruned {input.pruned} --out {output.capacity}" + JOB


rule write_readme:
    input:
        config="results/{study}/readme.yaml",
        scores=rules.aggregate.output.scores,
        capacity=expand(rules.tabulate_capacity.output.capacity, model=MODELS if SHARES else [], allow_missing=True),
        sources=sources("write_readme"),
    output:
        markdown="results/{study}/readme.md",
        csv="results/{study}/readme.csv",
        record="results/{study}/readme.provenance.json",
    log:
        "logs/{study}/write_readme.log",
    shell:
        "{STAGE}.write_readme --scores {input.scores} --capacity {input.capacity}"
        " --markdown {output.markdown} --csv {output.csv}" + JOB

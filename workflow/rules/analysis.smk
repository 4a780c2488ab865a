ANSWERS = [
    *expand(VANILLA_ANSWERS, model=MODELS, seed=SEEDS, allow_missing=True),
    *expand(
        METHOD_ANSWERS,
        model=MODELS,
        seed=SEEDS,
        ratio=RATIOS,
        method=ASKED,
        allow_missing=True,
    ),
]


rule aggregate:
    input:
        config="results/{study}/aggregate.yaml",
        answers=ANSWERS,
        sources=source_files("aggregate", *map(metric_registry.source_file, STUDY["metrics"])),
    output:
        scores=shown("results/{study}/scores.csv", "Tables", "scores", "scores"),
        diverged=shown("results/{study}/diverged.csv", "Tables", "diverged", "diverged"),
        record="results/{study}/aggregate.provenance.json",
    log:
        "logs/{study}/aggregate.log",
    shell:
        "{STAGE}.aggregate --answers {input.answers} --out {output.scores} --diverged {output.diverged}" + JOB


rule measure_outcomes:
    input:
        config="results/{study}/outcomes.yaml",
        answers=ANSWERS,
        sources=sources("measure_outcomes"),
    output:
        outcomes=shown("results/{study}/outcomes.csv", "Tables", "outcomes", "outcomes"),
        record="results/{study}/outcomes.provenance.json",
    log:
        "logs/{study}/measure_outcomes.log",
    shell:
        "{STAGE}.measure_outcomes --answers {input.answers} --out {output.outcomes}" + JOB


def edit_records(rule, **names):
    """Records of the jobs of a rule that make the edits, for every model, seed and forget ratio."""
    return expand(rule.output.record, model=MODELS, seed=SEEDS, ratio=RATIOS, **names, allow_missing=True)


rule tabulate_costs:
    input:
        config="results/{study}/costs.yaml",
        records=[
            *expand(RETAIN_ONLY_RECORD, model=MODELS, seed=SEEDS, ratio=RATIOS, allow_missing=True),
            *edit_records(rules.unlearn, method=TRAINING),
            *edit_records(rules.write_prompt, method=PROMPTING),
            *edit_records(rules.measure_statistics, kind=statistics_kinds(STUDY)),
            *edit_records(rules.select_neurons, method=PRUNING),
        ],
        outcomes=rules.measure_outcomes.output.outcomes,
        sources=sources("tabulate_costs"),
    output:
        costs=shown("results/{study}/costs.csv", "Tables", "costs", "costs"),
        record="results/{study}/costs.provenance.json",
    log:
        "logs/{study}/tabulate_costs.log",
    shell:
        "{STAGE}.tabulate_costs --records {input.records} --outcomes {input.outcomes} --out {output.costs}" + JOB


rule compare_methods:
    input:
        config="results/{study}/tables/paired_tests.yaml",
        answers=ANSWERS,
        sources=sources("compare_methods"),
    output:
        tests=shown("results/{study}/tables/paired_tests.csv", "Tables", "paired_tests", "paired tests"),
        record="results/{study}/tables/paired_tests.provenance.json",
    log:
        "logs/{study}/compare_methods.log",
    shell:
        "{STAGE}.compare_methods --answers {input.answers} --out {output.tests}" + JOB


rule tabulate:
    input:
        config="results/{study}/tables/main_{model}.yaml",
        scores=rules.aggregate.output.scores,
        diverged=rules.aggregate.output.diverged,
        choices=expand(rules.choose_settings.output.choice, seed=TUNING_SEED, method=TUNED, allow_missing=True),
        sources=sources("tabulate"),
    output:
        csv=shown("results/{study}/tables/main_{model}.csv", "Tables", "main", "main, {model}"),
        markdown="results/{study}/tables/main_{model}.md",
        record="results/{study}/tables/main_{model}.provenance.json",
    log:
        "logs/{study}/tabulate_{model}.log",
    shell:
        "{STAGE}.tabulate --scores {input.scores} --diverged {input.diverged} --choices {input.choices} --model {wildcards.model}"
        " --csv {output.csv} --markdown {output.markdown}" + JOB


rule tabulate_capacity:
    input:
        config="results/{study}/tables/capacity_{model}.yaml",
        vanilla=expand(VANILLA_ANSWERS, seed=SEEDS, allow_missing=True),
        pruned=expand(RANDOM_ANSWERS, seed=SEEDS, share=SHARES, allow_missing=True),
        sources=sources("tabulate_capacity"),
    output:
        capacity=shown("results/{study}/tables/capacity_{model}.csv", "Tables", "capacity", "capacity, {model}"),
        record="results/{study}/tables/capacity_{model}.provenance.json",
    log:
        "logs/{study}/tabulate_capacity_{model}.log",
    shell:
        "{STAGE}.tabulate_capacity --vanilla {input.vanilla} --pruned {input.pruned} --out {output.capacity}" + JOB


VARIANT_ANSWERS = expand(
    rules.evaluate_variants.output.answers,
    ratio=f"{STUDY['ablation']['forget_ratio']:02d}",
    seed=SEEDS if VARIANTS else [],
    allow_missing=True,
)


rule tabulate_ablation:
    input:
        config="results/{study}/tables/ablation_{model}.yaml",
        vanilla=expand(VANILLA_ANSWERS, seed=SEEDS, allow_missing=True),
        answers=VARIANT_ANSWERS,
        sources=sources("tabulate_ablation"),
    output:
        ablation=shown("results/{study}/tables/ablation_{model}.csv", "Tables", "ablation", "ablation, {model}"),
        record="results/{study}/tables/ablation_{model}.provenance.json",
    log:
        "logs/{study}/tabulate_ablation_{model}.log",
    shell:
        "{STAGE}.tabulate_ablation --vanilla {input.vanilla} --answers {input.answers} --out {output.ablation}" + JOB


rule judge_claims:
    input:
        config="results/{study}/tables/claims.yaml",
        claims="config/claims.yaml",
        answers=ANSWERS,
        variants=expand(VARIANT_ANSWERS, model=MODELS, allow_missing=True),
        sources=sources("judge_claims"),
    output:
        cells=shown("results/{study}/tables/claims_by_run.csv", "Claims", "claims", "claims by run"),
        claims=shown("results/{study}/tables/claims.csv", "Claims", "claims", "claims"),
        record="results/{study}/tables/claims.provenance.json",
    log:
        "logs/{study}/judge_claims.log",
    shell:
        "{STAGE}.judge_claims --claims {input.claims} --answers {input.answers} --variants {input.variants}"
        " --cells {output.cells} --out {output.claims}" + JOB


rule tabulate_standing:
    input:
        config="results/{study}/tables/standing.yaml",
        claims="config/claims.yaml",
        answers=ANSWERS,
        sources=sources("tabulate_standing"),
    output:
        csv=shown("results/{study}/tables/standing.csv", "Claims", "standing", "standing"),
        markdown="results/{study}/tables/standing.md",
        record="results/{study}/tables/standing.provenance.json",
    log:
        "logs/{study}/tabulate_standing.log",
    shell:
        "{STAGE}.tabulate_standing --claims {input.claims} --answers {input.answers}"
        " --csv {output.csv} --markdown {output.markdown}" + JOB


rule compare_reported:
    input:
        config="results/{study}/tables/comparison.yaml",
        reported="data/reported/reported.csv",
        scores=rules.aggregate.output.scores,
        outcomes=rules.measure_outcomes.output.outcomes,
        sources=sources("compare_reported"),
    output:
        comparison=shown("results/{study}/tables/comparison.csv", "Claims", "comparison", "the paper beside ours"),
        record="results/{study}/tables/comparison.provenance.json",
    log:
        "logs/{study}/compare_reported.log",
    shell:
        "{STAGE}.compare_reported --reported {input.reported} --scores {input.scores}"
        " --outcomes {input.outcomes} --out {output.comparison}" + JOB


rule tabulate_seeds:
    input:
        config="results/{study}/tables/seeds.yaml",
        scores=rules.aggregate.output.scores,
        outcomes=rules.measure_outcomes.output.outcomes,
        sources=sources("tabulate_seeds"),
    output:
        seeds=shown("results/{study}/tables/seeds.csv", "Tables", "seeds", "seeds"),
        record="results/{study}/tables/seeds.provenance.json",
    log:
        "logs/{study}/tabulate_seeds.log",
    shell:
        "{STAGE}.tabulate_seeds --scores {input.scores} --outcomes {input.outcomes} --out {output.seeds}" + JOB


rule tabulate_anatomy:
    input:
        config="results/{study}/tables/anatomy.yaml",
        neurons=expand(
            rules.list_activations.output.neurons,
            model=MODELS,
            seed=SEEDS,
            ratio=RATIOS,
            method=DISSECTED,
            allow_missing=True,
        ),
        sources=sources("tabulate_anatomy"),
    output:
        anatomy=shown("results/{study}/tables/anatomy.csv", "Tables", "anatomy", "anatomy"),
        record="results/{study}/tables/anatomy.provenance.json",
    log:
        "logs/{study}/tabulate_anatomy.log",
    shell:
        "{STAGE}.tabulate_anatomy --neurons {input.neurons} --out {output.anatomy}" + JOB


rule write_readme:
    input:
        config="results/{study}/readme.yaml",
        scores=rules.aggregate.output.scores,
        diverged=rules.aggregate.output.diverged,
        capacity=expand(rules.tabulate_capacity.output.capacity, model=MODELS if SHARES else [], allow_missing=True),
        choices=expand(
            rules.choose_settings.output.choice, model=MODELS, seed=TUNING_SEED, method=TUNED, allow_missing=True
        ),
        sources=sources("write_readme"),
    output:
        markdown="results/{study}/readme.md",
        csv="results/{study}/readme.csv",
        record="results/{study}/readme.provenance.json",
    log:
        "logs/{study}/write_readme.log",
    shell:
        "{STAGE}.write_readme --scores {input.scores} --diverged {input.diverged} --capacity {input.capacity}"
        " --choices {input.choices}"
        " --markdown {output.markdown} --csv {output.csv}" + JOB

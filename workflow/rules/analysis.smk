ASKED_ANSWERS = [
    *expand(VANILLA_ANSWERS, seed=SEEDS, allow_missing=True),
    *expand(METHOD_ANSWERS, seed=SEEDS, ratio=RATIOS, method=ASKED, allow_missing=True),
]
ANSWERS = expand(ASKED_ANSWERS, model=MODELS, allow_missing=True)


def edit_records(rule, **names):
    """Records of the jobs of a rule that make the edits, for every seed and forget ratio."""
    return expand(rule.output.record, seed=SEEDS, ratio=RATIOS, **names, allow_missing=True)


def files_of_table(name):
    """The files of the package, and from outside, that a table's job runs beside the step."""
    metrics = resolve(STUDY, "make_table", table=name).get("metrics", ())
    return [table_registry.source_file(name), *map(metric_registry.source_file, metrics)]


# What tables and figures are made from, by the names of manu.analysis.tables.base; {model} is left open.
FOR_MODEL = {"seed": SEEDS, "allow_missing": True}
SOURCE_FILES = {
    "answers": ASKED_ANSWERS,
    "vanilla": expand(VANILLA_ANSWERS, **FOR_MODEL),
    "random": expand(RANDOM_ANSWERS, share=SHARES, **FOR_MODEL),
    "choices": expand(rules.choose_settings.output.choice, seed=TUNING_SEED, method=TUNED, allow_missing=True),
    "records": [
        *expand(RETAIN_ONLY_RECORD, seed=SEEDS, ratio=RATIOS, allow_missing=True),
        *edit_records(rules.unlearn, method=TRAINING),
        *edit_records(rules.write_prompt, method=PROMPTING),
        *edit_records(rules.measure_statistics, kind=statistics_kinds(STUDY)),
        *edit_records(rules.select_neurons, method=PRUNING),
    ],
}
TABLES = study_tables(STUDY) | study_tables(STUDY, "robustness")


def table_files(name):
    """The CSV files of a table, for every model if it is made for each."""
    file = TABLES[name].file(name, NAME)
    return expand(file, model=MODELS) if TABLES[name].per_model else [file]


def files_of_source(source, per_model):
    """The files of a source or of another table, of all models or of the job's own."""
    files = SOURCE_FILES.get(source) or ([TABLES[source].file(source, "{study}")] if source in TABLES else [])
    return files if per_model else list(dict.fromkeys(expand(files, model=MODELS, allow_missing=True)))


def options_of_table(name, wildcards, input, output):
    """The options of make_table for one table: the model, if it has one, each source with its files, and its files."""
    model = option("model", wildcards.get("model", ""))
    sources = " ".join(f"--source {source} {input[source]}" for source in TABLES[name].sources)
    return f"--table {name} {model} {sources} --csv {output.csv} {option('markdown', output.get('markdown'))}"


for name, each in TABLES.items():
    beside = each.file(name, "{study}").removesuffix(".csv")

    rule:
        name:
            f"make_{name}"
        input:
            **{source: files_of_source(source, each.per_model) for source in each.sources},
            config=f"{beside}.yaml",
            sources=source_files("make_table", *files_of_table(name)),
        output:
            csv=shown(f"{beside}.csv", "Tables", f"{each.title}, {{model}}" if each.per_model else each.title),
            record=f"{beside}.provenance.json",
            **({"markdown": f"{beside}.md"} if each.markdown else {}),
        params:
            caption=each.caption,
            options=partial(options_of_table, name),  # what a shell command refers to is the loop's last
        log:
            f"logs/{{study}}/make_{name}{'_{model}' if each.per_model else ''}.log",
        shell:
            "{STAGE}.make_table {params.options}" + JOB


rule compare_methods:
    input:
        config="results/{study}/tables/paired_tests.yaml",
        answers=ANSWERS,
        sources=sources("compare_methods"),
    output:
        tests=shown("results/{study}/tables/paired_tests.csv", "Tables", "paired tests", "paired_tests"),
        record="results/{study}/tables/paired_tests.provenance.json",
    log:
        "logs/{study}/compare_methods.log",
    shell:
        "{STAGE}.compare_methods --answers {input.answers} --out {output.tests}" + JOB


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
        ablation=shown("results/{study}/tables/ablation_{model}.csv", "Tables", "ablation, {model}", "ablation"),
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
        cells=shown("results/{study}/tables/claims_by_run.csv", "Claims", "claims by run", "claims"),
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
        scores="results/{study}/scores.csv",
        outcomes="results/{study}/outcomes.csv",
        sources=sources("compare_reported"),
    output:
        comparison=shown("results/{study}/tables/comparison.csv", "Claims", "the paper beside ours", "comparison"),
        record="results/{study}/tables/comparison.provenance.json",
    log:
        "logs/{study}/compare_reported.log",
    shell:
        "{STAGE}.compare_reported --reported {input.reported} --scores {input.scores}"
        " --outcomes {input.outcomes} --out {output.comparison}" + JOB


rule tabulate_seeds:
    input:
        config="results/{study}/tables/seeds.yaml",
        scores="results/{study}/scores.csv",
        outcomes="results/{study}/outcomes.csv",
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
        scores="results/{study}/scores.csv",
        diverged="results/{study}/diverged.csv",
        capacity=table_files("capacity") if "capacity" in TABLES else [],
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

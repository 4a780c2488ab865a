# Tables: what tables and figures are made from, and the one rule that makes every table.
ANSWERS_OF_MODEL = [
    *expand(VANILLA_ANSWERS, seed=SEEDS, allow_missing=True),
    *expand(METHOD_ANSWERS, seed=SEEDS, ratio=RATIOS, method=ASKED, allow_missing=True),
]
AT_ABLATION = {"seed": SEEDS if VARIANTS else [], "ratio": f"{STUDY.ablation.forget_ratio:02d}"}
MAKES = {"seed": SEEDS, "ratio": RATIOS, "allow_missing": True}


# Source, by the names of manu.analysis.tables.base -> its files; {model} is left open.
SOURCE_FILES = {
    "answers": ANSWERS_OF_MODEL,
    "vanilla": expand(VANILLA_ANSWERS, seed=SEEDS, allow_missing=True),
    "start": expand(START_ANSWERS, seed=SEEDS, model=STUDY.gated_models(), allow_missing=True),
    "random": expand(RANDOM_ANSWERS, seed=SEEDS, share=SHARES, allow_missing=True),
    "variants": expand(rules.evaluate_variants.output.answers, **AT_ABLATION, allow_missing=True),
    "trials": expand(rules.tune.output.trials, seed=TUNING_SEED, method=TUNED, allow_missing=True),
    "choices": expand(rules.choose_settings.output.choice, seed=TUNING_SEED, method=TUNED, allow_missing=True),
    "records": [
        *expand(RETAIN_ONLY_RECORD, **MAKES),
        *expand(rules.unlearn.output.record, method=TRAINING, **MAKES),
        *expand(rules.write_prompt.output.record, method=PROMPTING, **MAKES),
        *expand(rules.measure_statistics.output.record, kind=STATISTICS, **MAKES),
        *expand(rules.select_neurons.output.record, method=PRUNING, **MAKES),
    ],
    "neurons": expand(rules.list_activations.output.neurons, method=BY_ACTIVATIONS, **MAKES),
    "harness_scores": [
        *expand(rules.evaluate_harness.output.scores, seed=SEEDS, at="", method="vanilla", allow_missing=True),
        *expand(rules.evaluate_harness.output.scores, seed=SEEDS, at=AT, method=UTILITY, allow_missing=True),
    ],
    "attacked_before": [
        *expand(VANILLA_ANSWERS, **ATTACKED, allow_missing=True),
        *expand(METHOD_ANSWERS, **ATTACKED, method=ASKED, allow_missing=True),
    ],
    "attacks": expand(rules.attack.output.answers, **ATTACKED, method=["vanilla", *ASKED], allow_missing=True),
    "signals": expand(rules.attack.output.signals, **ATTACKED, method=["vanilla", *ASKED], allow_missing=True),
    "at_once": expand(METHOD_ANSWERS, **AT_ONCE, allow_missing=True),
    "in_turn": expand(rules.forget_in_turn.output.answers, **IN_TURN, allow_missing=True),
    "masks": expand(rules.select_neurons.output.mask, method=PRUNING, **MAKES),
    "ablation_masks": expand(VARIANT_MASK, **AT_ABLATION, variant=VARIANTS, allow_missing=True),
    "variant_masks": expand(VARIANT_MASK, **AT_ABLATION, variant=STUDY.ablation.by_function(), allow_missing=True),
    "claims_file": ["config/claims.yaml"],
    "reported": ["data/reported/reported.csv"],
}
TABLES = study_tables(STUDY) | study_tables(STUDY, "robustness")


def of_models(files):
    """These files of every model, model by model; those that are of none once."""
    return list(dict.fromkeys(file.replace("{model}", model) for model in MODELS for file in files))


def files_of_source(source):
    """The files of a source or of a table that the study has; {model} is left open."""
    return SOURCE_FILES.get(source) or ([TABLES[source].file(source, "{study}")] if source in TABLES else [])


def table_files(*targets):
    """The CSV files of all tables of these targets."""
    return [file for name, each in TABLES.items() if each.target in targets for file in of_models([each.file(name, NAME)])]


def source_options(sources, input):
    """`--source <name> <files>` for each source of a table or figure."""
    return " ".join(f"--source {source} {input[source]}" for source in sources)


def options_of_table(name, wildcards, input, output):
    """The options of make_table: the table, the model if it is made for each, its sources and its files."""
    model, markdown = option("model", wildcards.get("model")), option("markdown", output.get("markdown"))
    return f"--table {name} {model} {source_options(TABLES[name].sources, input)} --csv {output.csv} {markdown}"


for name, each in TABLES.items():
    beside = each.file(name, "{study}").removesuffix(".csv")

    rule:
        name:
            f"make_{name}"
        input:
            **{
                source: files_of_source(source) if each.per_model else of_models(files_of_source(source))
                for source in each.sources
            },
            config=settings(f"{beside}.yaml", "make_table", table=name),
            sources=sources("make_table", table=name),
        output:
            csv=shown(f"{beside}.csv", "Tables", f"{each.title}, {{model}}" if each.per_model else each.title),
            record=f"{beside}.provenance.json",
            **({"markdown": f"{beside}.md"} if each.markdown else {}),
        params:
            caption=each.caption,
            options=partial(options_of_table, name),  # a name in the shell command would be the loop's last
        log:
            f"logs/{{study}}/make_{name}{'_{model}' if each.per_model else ''}.log",
        shell:
            "{STAGE}.make_table {params.options}" + JOB

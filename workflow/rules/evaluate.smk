# The same questions to every model. Pruning and prompting are the vanilla model with a mask or a system prompt.


rule select_random:
    input:
        config=settings("results/{study}/{model}/seed{seed}/random{share}/select_random.yaml", "select_random"),
        vanilla=vanilla_of,
        gate=memorised,
        sources=sources("select_random"),
    output:
        mask="results/{study}/{model}/seed{seed}/random{share}/mask.safetensors",
        record="results/{study}/{model}/seed{seed}/random{share}/select_random.provenance.json",
    params:
        vanilla=subpath(input.vanilla, parent=True),
    log:
        "logs/{study}/{model}/seed{seed}/select_random{share}.log",
    priority: 40
    resources:
        gpu=GPU,
    shell:
        "{STAGE}.select_random --vanilla {params.vanilla} --mask {output.mask}" + JOB


def own_folder(wildcards):
    """Where a method's checkpoint, mask or system prompt lies; a method without a forget ratio has no such folder."""
    at = wildcards.get("at", f"forget{wildcards.get('ratio')}/")
    return f"results/{wildcards.study}/{wildcards.model}/seed{wildcards.seed}/{at}{wildcards.method}"


def checkpoint_of(wildcards):
    """The checkpoint that answers for a method: its own if it trains one, else the vanilla model's."""
    if wildcards.method == "start":
        return fetched(wildcards, "start")
    trained = wildcards.method in ("retain_only", *TRAINING)
    return f"{own_folder(wildcards)}/checkpoint/model.safetensors" if trained else vanilla_of(wildcards)


def mask_of(wildcards):
    """The mask of pruned neurons under which a method answers, if any."""
    return f"{own_folder(wildcards)}/mask.safetensors" if wildcards.method in (*PRUNING, *RANDOM) else []


def prompt_of(wildcards):
    """The system prompt with which a method answers, if any."""
    return f"{own_folder(wildcards)}/system_prompt.txt" if wildcards.method in PROMPTING else []


rule evaluate:
    input:
        config=settings("results/{study}/answers/{model}/seed{seed}/{at}{method}.yaml", "evaluate"),
        benchmark=BENCHMARK,
        checkpoint=checkpoint_of,
        mask=mask_of,
        system_prompt=prompt_of,
        sources=sources("evaluate"),
    output:
        answers="results/{study}/answers/{model}/seed{seed}/{at}{method}.parquet",
        record="results/{study}/answers/{model}/seed{seed}/{at}{method}.provenance.json",
    params:
        checkpoint=subpath(input.checkpoint, parent=True),
        options=options("mask", "system_prompt"),
    wildcard_constraints:
        method=one_of(["vanilla", "start", *ASKED, *RANDOM]),
    log:
        "logs/{study}/{model}/seed{seed}/{at}evaluate_{method}.log",
    priority: 40
    resources:
        gpu=GPU,
    shell:
        "{STAGE}.evaluate --benchmark {DATA} --checkpoint {params.checkpoint} {params.options} --out {output.answers}" + JOB


# The answers of the checkpoint that it starts from, of the vanilla model, of methods at a forget ratio, and under random masks; patterns for `expand`.
START_ANSWERS = rules.evaluate.output.answers.replace("{at}{method}", "start")
VANILLA_ANSWERS = rules.evaluate.output.answers.replace("{at}{method}", "vanilla")
METHOD_ANSWERS = rules.evaluate.output.answers.replace("{at}", "forget{ratio}/")
RANDOM_ANSWERS = rules.evaluate.output.answers.replace("{at}{method}", "random{share}")


rule check_memorisation:
    input:
        config=settings("results/{study}/{model}/seed{seed}/memorisation.yaml", "check_memorisation"),
        start=START_ANSWERS,
        vanilla=VANILLA_ANSWERS,
        sources=sources("check_memorisation"),
    output:
        gate="results/{study}/{model}/seed{seed}/memorisation.json",
        record="results/{study}/{model}/seed{seed}/memorisation.provenance.json",
    log:
        "logs/{study}/{model}/seed{seed}/check_memorisation.log",
    priority: 90
    shell:
        "{STAGE}.check_memorisation --start {input.start} --vanilla {input.vanilla} --out {output.gate}" + JOB


rule evaluate_variants:
    input:
        config=settings("results/{study}/answers/{model}/seed{seed}/forget{ratio}/ablation.yaml", "evaluate_variants"),
        benchmark=BENCHMARK,
        checkpoint=vanilla_of,
        masks=rules.select_variants.output.masks,
        sources=sources("evaluate_variants"),
    output:
        answers="results/{study}/answers/{model}/seed{seed}/forget{ratio}/ablation.parquet",
        record="results/{study}/answers/{model}/seed{seed}/forget{ratio}/ablation.provenance.json",
    params:
        checkpoint=subpath(input.checkpoint, parent=True),
    log:
        "logs/{study}/{model}/seed{seed}/forget{ratio}/evaluate_variants.log",
    priority: 45
    resources:
        gpu=GPU,
    shell:
        "{STAGE}.evaluate_variants --benchmark {DATA}"
        " --checkpoint {params.checkpoint} --masks {input.masks} --out {output.answers}" + JOB

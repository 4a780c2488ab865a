# One rule per kind of method: training gives a checkpoint, pruning a mask of vanilla, prompting a system prompt.

STATISTICS = statistics_of([*STUDY.methods, *ablation_methods(STUDY)])  # the kinds that pruning chooses neurons from


rule measure_statistics:
    input:
        config=settings("results/{study}/{model}/seed{seed}/forget{ratio}/statistics/{kind}.yaml", "measure_statistics"),
        benchmark=BENCHMARK,
        vanilla=vanilla_of,
        gate=memorised,
        sources=sources("measure_statistics"),
    output:
        statistics="results/{study}/{model}/seed{seed}/forget{ratio}/statistics/{kind}.safetensors",
        record="results/{study}/{model}/seed{seed}/forget{ratio}/statistics/{kind}.provenance.json",
    params:
        vanilla=subpath(input.vanilla, parent=True),
    wildcard_constraints:
        kind=one_of(STATISTICS),
    log:
        "logs/{study}/{model}/seed{seed}/forget{ratio}/statistics_{kind}.log",
    priority: 50
    resources:
        gpu=GPU,
    shell:
        "{STAGE}.measure_statistics --benchmark {DATA}"
        " --vanilla {params.vanilla} --ratio {wildcards.ratio} --kind {wildcards.kind} --out {output.statistics}" + JOB


def statistics_of_method(wildcards):
    """The statistics that a pruning method, or one that begins with pruning, scores neurons from."""
    pruning = method_registry.pruning_class(wildcards.method)
    return rules.measure_statistics.output.statistics.replace("{kind}", pruning.statistics) if pruning else []


def retain_only_at(wildcards, ratio):
    """The retain-only model of a forget ratio, for a method whose loss compares with it."""
    if wildcards.method not in STUDY.methods_beside_retain_only():
        return []
    return rules.train.output.checkpoint.replace("{at}{trained}", f"forget{ratio}/retain_only").format(**wildcards)


rule unlearn:
    input:
        config=settings("results/{study}/{model}/seed{seed}/forget{ratio}/{method}/unlearn.yaml", "unlearn"),
        benchmark=BENCHMARK,
        vanilla=vanilla_of,
        choice=choice_of_method,
        statistics=statistics_of_method,
        reference=lambda wildcards: retain_only_at(wildcards, wildcards.ratio),
        gate=memorised,
        sources=sources("unlearn"),
    output:
        checkpoint="results/{study}/{model}/seed{seed}/forget{ratio}/{method}/checkpoint/model.safetensors",
        record="results/{study}/{model}/seed{seed}/forget{ratio}/{method}/unlearn.provenance.json",
    params:
        vanilla=subpath(input.vanilla, parent=True),
        checkpoint=subpath(output[0], parent=True),
        options=options("choice", "statistics"),
        reference=folders("reference"),
    wildcard_constraints:
        method=one_of(TRAINING),
    log:
        "logs/{study}/{model}/seed{seed}/forget{ratio}/{method}.log",
    priority: 60
    resources:
        gpu=GPU,
    shell:
        "{STAGE}.unlearn --benchmark {DATA} --vanilla {params.vanilla} {params.options} {params.reference}"
        " --ratio {wildcards.ratio} --out {params.checkpoint}" + JOB


rule write_prompt:
    input:
        config=settings("results/{study}/{model}/seed{seed}/forget{ratio}/{method}/write_prompt.yaml", "write_prompt"),
        benchmark=BENCHMARK,
        choice=choice_of_method,
        gate=memorised,
        sources=sources("write_prompt"),
    output:
        prompt="results/{study}/{model}/seed{seed}/forget{ratio}/{method}/system_prompt.txt",
        record="results/{study}/{model}/seed{seed}/forget{ratio}/{method}/write_prompt.provenance.json",
    params:
        options=options("choice"),
    wildcard_constraints:
        method=one_of(PROMPTING),
    log:
        "logs/{study}/{model}/seed{seed}/forget{ratio}/{method}.log",
    shell:
        "{STAGE}.write_prompt --benchmark {DATA} {params.options}"
        " --ratio {wildcards.ratio} --out {output.prompt}" + JOB


rule select_neurons:
    input:
        config=settings("results/{study}/{model}/seed{seed}/forget{ratio}/{method}/select_neurons.yaml", "select_neurons"),
        statistics=statistics_of_method,
        choice=choice_of_method,
        sources=sources("select_neurons"),
    output:
        mask="results/{study}/{model}/seed{seed}/forget{ratio}/{method}/mask.safetensors",
        neurons="results/{study}/{model}/seed{seed}/forget{ratio}/{method}/neurons.csv",
        record="results/{study}/{model}/seed{seed}/forget{ratio}/{method}/select_neurons.provenance.json",
    params:
        options=options("choice"),
    wildcard_constraints:
        method=one_of(PRUNING),
    log:
        "logs/{study}/{model}/seed{seed}/forget{ratio}/{method}.log",
    shell:
        "{STAGE}.select_neurons --statistics {input.statistics} {params.options}"
        " --mask {output.mask} --neurons {output.neurons}" + JOB


VARIANT_MASK = "results/{study}/{model}/seed{seed}/forget{ratio}/ablation/{variant}/mask.safetensors"


rule select_variants:
    input:
        config=settings("results/{study}/{model}/seed{seed}/forget{ratio}/ablation/variants.yaml", "select_variants"),
        statistics=expand(
            rules.measure_statistics.output.statistics, kind=statistics_of(ablation_methods(STUDY)), allow_missing=True
        ),
        sources=sources("select_variants"),
    output:
        masks=expand(VARIANT_MASK, variant=VARIANTS, allow_missing=True),
        record="results/{study}/{model}/seed{seed}/forget{ratio}/ablation/variants.provenance.json",
    log:
        "logs/{study}/{model}/seed{seed}/forget{ratio}/select_variants.log",
    shell:
        "{STAGE}.select_variants --statistics {input.statistics} --masks {output.masks}" + JOB


rule list_activations:
    input:
        config=settings("results/{study}/{model}/seed{seed}/forget{ratio}/{method}/activations.yaml", "list_activations"),
        statistics=statistics_of_method,
        mask=rules.select_neurons.output.mask,
        sources=sources("list_activations"),
    output:
        neurons="results/{study}/{model}/seed{seed}/forget{ratio}/{method}/activations.csv",
        record="results/{study}/{model}/seed{seed}/forget{ratio}/{method}/activations.provenance.json",
    wildcard_constraints:
        method=one_of(BY_ACTIVATIONS),
    log:
        "logs/{study}/{model}/seed{seed}/forget{ratio}/{method}_activations.log",
    shell:
        "{STAGE}.list_activations --statistics {input.statistics} --mask {input.mask} --out {output.neurons}" + JOB

# Where models come from: fetched, or trained here. The longest jobs come first, so that both cores are busy to the end.


rule fetch_model:
    input:
        config="results/{study}/{model}/{which}/fetch_model.yaml",
        sources=sources("fetch_model", "model"),
    output:
        manifest="results/{study}/{model}/{which}/files.json",
        record="results/{study}/{model}/{which}/fetch_model.provenance.json",
    wildcard_constraints:
        which=one_of(CHECKPOINTS),
    log:
        "logs/{study}/{model}/fetch_{which}.log",
    priority: 100
    shell:
        "{STAGE}.fetch_model --out {output.manifest}" + JOB


def fetched(wildcards, which):
    """The manifest of a checkpoint that the study names for a model, or None."""
    named = which in STUDY["models"][wildcards.model]
    return rules.fetch_model.output.manifest.replace("{which}", which) if named else None


def start_of(wildcards):
    """What the vanilla and the retain-only models are trained from: the pretrained checkpoint, or the base model."""
    return fetched(wildcards, "start") or rules.train_base.output.checkpoint


def vanilla_of(wildcards):
    """The model that was taught everybody."""
    return fetched(wildcards, "vanilla") or rules.train_vanilla.output.checkpoint


def language_model_of(wildcards):
    """The files of the pretrained language model that the base model has, if any."""
    path = LANGUAGE_MODELS.get(wildcards.model)
    return [str(file) for file in files_of(path)] if path else []


def optional_language_model(wildcards):
    """`--language-model` and where that is, or nothing."""
    path = LANGUAGE_MODELS.get(wildcards.model)
    return optional("language-model", shlex.quote(str(path))) if path else ""


def processes_of(wildcards):
    """How many processes share the training of a model."""
    return STUDY["models"][wildcards.model]["processes"]


def gpus_of(wildcards):
    """One for each of them, where there are any."""
    return GPU * processes_of(wildcards)


rule train_base:
    input:
        config="results/{study}/{model}/seed{seed}/base/train.yaml",
        benchmark=BENCHMARK,
        language_model=language_model_of,
        sources=sources("train", "model"),
    output:
        checkpoint="results/{study}/{model}/seed{seed}/base/checkpoint/model.safetensors",
        record="results/{study}/{model}/seed{seed}/base/train.provenance.json",
    params:
        checkpoint=subpath(output[0], parent=True),
        language_model=optional_language_model,
    log:
        "logs/{study}/{model}/seed{seed}/base.log",
    priority: 90
    threads: processes_of
    resources:
        gpu=gpus_of,
    shell:
        "{STAGE}.train --benchmark {DATA} --stage base {params.language_model}"
        " --out {params.checkpoint}" + JOB


rule train_vanilla:
    input:
        config="results/{study}/{model}/seed{seed}/vanilla/train.yaml",
        benchmark=BENCHMARK,
        start=start_of,
        sources=sources("train", "model"),
    output:
        checkpoint="results/{study}/{model}/seed{seed}/vanilla/checkpoint/model.safetensors",
        record="results/{study}/{model}/seed{seed}/vanilla/train.provenance.json",
    params:
        start=subpath(input.start, parent=True),
        checkpoint=subpath(output[0], parent=True),
    log:
        "logs/{study}/{model}/seed{seed}/vanilla.log",
    priority: 80
    threads: processes_of
    resources:
        gpu=gpus_of,
    shell:
        "{STAGE}.train --benchmark {DATA} --stage vanilla"
        " --start {params.start} --out {params.checkpoint}" + JOB


rule train_retain_only:
    input:
        config="results/{study}/{model}/seed{seed}/forget{ratio}/retain_only/train.yaml",
        benchmark=BENCHMARK,
        start=start_of,
        sources=sources("train", "model"),
    output:
        checkpoint="results/{study}/{model}/seed{seed}/forget{ratio}/retain_only/checkpoint/model.safetensors",
        record="results/{study}/{model}/seed{seed}/forget{ratio}/retain_only/train.provenance.json",
    params:
        start=subpath(input.start, parent=True),
        checkpoint=subpath(output[0], parent=True),
    log:
        "logs/{study}/{model}/seed{seed}/forget{ratio}/retain_only.log",
    priority: 70
    threads: processes_of
    resources:
        gpu=gpus_of,
    shell:
        "{STAGE}.train --benchmark {DATA} --stage retain_only"
        " --start {params.start} --ratio {wildcards.ratio} --out {params.checkpoint}" + JOB

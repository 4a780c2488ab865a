# Where models come from: fetched, or trained here. The longest jobs come first, so that both cores are busy to the end.


def processor_for(wildcards):
    """The start of a model whose vanilla model is fetched: its processor serves a vanilla model that has none."""
    start = STUDY.models[wildcards.model].start
    return rules.fetch_model.output.manifest.replace("{which}", "start") if start and wildcards.which == "vanilla" else []


rule fetch_model:
    input:
        config=settings("results/{study}/{model}/{which}/fetch_model.yaml", "fetch_model"),
        processor=processor_for,
        sources=sources("fetch_model"),
    output:
        manifest="results/{study}/{model}/{which}/files.json",
        record="results/{study}/{model}/{which}/fetch_model.provenance.json",
    params:
        processor=folders("processor"),
    wildcard_constraints:
        which=one_of(CHECKPOINTS),
    log:
        "logs/{study}/{model}/fetch_{which}.log",
    priority: 100
    shell:
        "{STAGE}.fetch_model {params.processor} --out {output.manifest}" + JOB


def fetched(wildcards, which):
    """The manifest of a checkpoint that the study names for a model, or None."""
    named = getattr(STUDY.models[wildcards.model], which)
    return rules.fetch_model.output.manifest.replace("{which}", which) if named else None


def memorised(wildcards):
    """The gate before whatever a study does with a vanilla model that starts from a checkpoint made elsewhere."""
    gated = wildcards.model in STUDY.gated_models() and wildcards.get("trained", "retain_only") == "retain_only"
    return "results/{study}/{model}/seed{seed}/memorisation.json".format(**wildcards) if gated else []


def start_of(wildcards):
    """What a model is trained from: a pretrained checkpoint, or the study's own base model, which starts from nothing."""
    if wildcards.trained == "base":
        return []
    return fetched(wildcards, "start") or rules.train.output.checkpoint.replace("{at}{trained}", "base")


def vanilla_of(wildcards):
    """The model that has learned all people."""
    return fetched(wildcards, "vanilla") or rules.train.output.checkpoint.replace("{at}{trained}", "vanilla")


def language_model_of(wildcards):
    """The files of the pretrained language model that a base model is built on, if any."""
    path = LANGUAGE_MODELS.get(wildcards.model) if wildcards.trained == "base" else None
    return [str(file) for file in files_of(path)] if path else []


def trained_from(wildcards, input):
    """The option that says what a model starts from: a checkpoint, or a pretrained language model, if any."""
    if input.start:
        return option("start", Path(input.start).parent)
    path = LANGUAGE_MODELS.get(wildcards.model)
    return option("language_model", shlex.quote(str(path))) if path else ""


def processes_of(wildcards):
    """How many processes share the training of a model."""
    return STUDY.models[wildcards.model].processes


def gpus_of(wildcards):
    """One GPU for each process, where there are GPUs."""
    return GPU * processes_of(wildcards)


rule train:
    input:
        config=settings("results/{study}/{model}/seed{seed}/{at}{trained}/train.yaml", "train"),
        benchmark=BENCHMARK,
        start=start_of,
        language_model=language_model_of,
        gate=memorised,
        sources=sources("train"),
    output:
        checkpoint="results/{study}/{model}/seed{seed}/{at}{trained}/checkpoint/model.safetensors",
        record="results/{study}/{model}/seed{seed}/{at}{trained}/train.provenance.json",
    params:
        checkpoint=subpath(output[0], parent=True),
        start=trained_from,
    wildcard_constraints:
        trained="base|vanilla|retain_only",
    log:
        "logs/{study}/{model}/seed{seed}/{at}{trained}.log",
    priority: 80
    threads: processes_of
    resources:
        gpu=gpus_of,
    shell:
        "{STAGE}.train --benchmark {DATA} {params.start} --out {params.checkpoint}" + JOB


RETAIN_ONLY_RECORD = rules.train.output.record.replace("{at}{trained}", "forget{ratio}/retain_only")

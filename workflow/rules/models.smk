# The longest jobs come first, so that both cores are busy to the end.


def language_model_of(wildcards):
    """The files of the pretrained language model that the base model has, if any."""
    path = LANGUAGE_MODELS.get(wildcards.model)
    return [str(file) for file in files_of(path)] if path else []


def optional_language_model(wildcards):
    """`--language-model` and where that is, or nothing."""
    path = LANGUAGE_MODELS.get(wildcards.model)
    return optional("language-model", shlex.quote(str(path))) if path else ""


rule train_base:
    input:
        config="results/{study}/{model}/seed{seed}/base/train.yaml",
        benchmark=rules.generate_benchmark.output.benchmark,
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
    resources:
        gpu=GPU,
    shell:
        "{STAGE}.train --benchmark data/{wildcards.study} --stage base {params.language_model}"
        " --out {params.checkpoint}" + JOB


rule train_vanilla:
    input:
        config="results/{study}/{model}/seed{seed}/vanilla/train.yaml",
        benchmark=rules.generate_benchmark.output.benchmark,
        base=rules.train_base.output.checkpoint,
        sources=sources("train", "model"),
    output:
        checkpoint="results/{study}/{model}/seed{seed}/vanilla/checkpoint/model.safetensors",
        record="results/{study}/{model}/seed{seed}/vanilla/train.provenance.json",
    params:
        base=subpath(input.base, parent=True),
        checkpoint=subpath(output[0], parent=True),
    log:
        "logs/{study}/{model}/seed{seed}/vanilla.log",
    priority: 80
    resources:
        gpu=GPU,
    shell:
        "{STAGE}.train --benchmark data/{wildcards.study} --stage vanilla"
        " --start {params.base} --out {params.checkpoint}" + JOB


rule train_retain_only:
    input:
        config="results/{study}/{model}/seed{seed}/forget{ratio}/retain_only/train.yaml",
        benchmark=rules.generate_benchmark.output.benchmark,
        base=rules.train_base.output.checkpoint,
        sources=sources("train", "model"),
    output:
        checkpoint="results/{study}/{model}/seed{seed}/forget{ratio}/retain_only/checkpoint/model.safetensors",
        record="results/{study}/{model}/seed{seed}/forget{ratio}/retain_only/train.provenance.json",
    params:
        base=subpath(input.base, parent=True),
        checkpoint=subpath(output[0], parent=True),
    log:
        "logs/{study}/{model}/seed{seed}/forget{ratio}/retain_only.log",
    priority: 70
    resources:
        gpu=GPU,
    shell:
        "{STAGE}.train --benchmark data/{wildcards.study} --stage retain_only"
        " --start {params.base} --ratio {wildcards.ratio} --out {params.checkpoint}" + JOB

# The same questions to every model. Pruning and prompting are vanilla with a mask or a system prompt.


rule evaluate_vanilla:
    input:
        config="results/{study}/answers/{model}/seed{seed}/vanilla.yaml",
        benchmark=BENCHMARK,
        checkpoint=vanilla_of,
        sources=sources("evaluate", "model"),
    output:
        answers="results/{study}/answers/{model}/seed{seed}/vanilla.parquet",
        record="results/{study}/answers/{model}/seed{seed}/vanilla.provenance.json",
    params:
        checkpoint=subpath(input.checkpoint, parent=True),
    log:
        "logs/{study}/{model}/seed{seed}/evaluate_vanilla.log",
    priority: 40
    resources:
        gpu=GPU,
    shell:
        "{STAGE}.evaluate --benchmark {DATA}"
        " --checkpoint {params.checkpoint} --out {output.answers}" + JOB


rule evaluate_trained:
    input:
        config="results/{study}/answers/{model}/seed{seed}/forget{ratio}/{method}.yaml",
        benchmark=BENCHMARK,
        checkpoint="results/{study}/{model}/seed{seed}/forget{ratio}/{method}/checkpoint/model.safetensors",
        sources=sources("evaluate", "model"),
    output:
        answers="results/{study}/answers/{model}/seed{seed}/forget{ratio}/{method}.parquet",
        record="results/{study}/answers/{model}/seed{seed}/forget{ratio}/{method}.provenance.json",
    params:
        checkpoint=subpath(input.checkpoint, parent=True),
    wildcard_constraints:
        method=one_of(["retain_only", *TRAINING]),
    log:
        "logs/{study}/{model}/seed{seed}/forget{ratio}/evaluate_{method}.log",
    priority: 30
    resources:
        gpu=GPU,
    shell:
        "{STAGE}.evaluate --benchmark {DATA}"
        " --checkpoint {params.checkpoint} --out {output.answers}" + JOB


rule evaluate_pruned:
    input:
        config="results/{study}/answers/{model}/seed{seed}/forget{ratio}/{method}.yaml",
        benchmark=BENCHMARK,
        checkpoint=vanilla_of,
        mask=rules.select_neurons.output.mask,
        sources=sources("evaluate", "model"),
    output:
        answers="results/{study}/answers/{model}/seed{seed}/forget{ratio}/{method}.parquet",
        record="results/{study}/answers/{model}/seed{seed}/forget{ratio}/{method}.provenance.json",
    params:
        checkpoint=subpath(input.checkpoint, parent=True),
    wildcard_constraints:
        method=one_of(PRUNING),
    log:
        "logs/{study}/{model}/seed{seed}/forget{ratio}/evaluate_{method}.log",
    priority: 30
    resources:
        gpu=GPU,
    shell:
        "{STAGE}.evaluate --benchmark {DATA}"
        " --checkpoint {params.checkpoint} --mask {input.mask} --out {output.answers}" + JOB


rule evaluate_prompted:
    input:
        config="results/{study}/answers/{model}/seed{seed}/forget{ratio}/{method}.yaml",
        benchmark=BENCHMARK,
        checkpoint=vanilla_of,
        system_prompt=rules.write_prompt.output.prompt,
        sources=sources("evaluate", "model"),
    output:
        answers="results/{study}/answers/{model}/seed{seed}/forget{ratio}/{method}.parquet",
        record="results/{study}/answers/{model}/seed{seed}/forget{ratio}/{method}.provenance.json",
    params:
        checkpoint=subpath(input.checkpoint, parent=True),
    wildcard_constraints:
        method=one_of(PROMPTING),
    log:
        "logs/{study}/{model}/seed{seed}/forget{ratio}/evaluate_{method}.log",
    priority: 30
    resources:
        gpu=GPU,
    shell:
        "{STAGE}.evaluate --benchmark {DATA}"
        " --checkpoint {params.checkpoint} --system-prompt {input.system_prompt} --out {output.answers}" + JOB


rule select_random:
    input:
        config="results/{study}/{model}/seed{seed}/random{share}/select_random.yaml",
        vanilla=vanilla_of,
        sources=sources("select_random", "model"),
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


rule evaluate_random:
    input:
        config="results/{study}/answers/{model}/seed{seed}/random{share}.yaml",
        benchmark=BENCHMARK,
        checkpoint=vanilla_of,
        mask=rules.select_random.output.mask,
        sources=sources("evaluate", "model"),
    output:
        answers="results/{study}/answers/{model}/seed{seed}/random{share}.parquet",
        record="results/{study}/answers/{model}/seed{seed}/random{share}.provenance.json",
    params:
        checkpoint=subpath(input.checkpoint, parent=True),
    log:
        "logs/{study}/{model}/seed{seed}/evaluate_random{share}.log",
    priority: 40
    resources:
        gpu=GPU,
    shell:
        "{STAGE}.evaluate --benchmark {DATA}"
        " --checkpoint {params.checkpoint} --mask {input.mask} --out {output.answers}" + JOB


rule evaluate_variants:
    input:
        config="results/{study}/answers/{model}/seed{seed}/forget{ratio}/ablation.yaml",
        benchmark=BENCHMARK,
        checkpoint=vanilla_of,
        masks=rules.select_variants.output.masks,
        sources=sources("evaluate_variants", "model"),
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

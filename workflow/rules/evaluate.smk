# The same questions to every model. Pruning and prompting are vanilla with a mask or a system prompt.


rule evaluate_vanilla:
    input:
        config="results/{study}/answers/{model}/seed{seed}/vanilla.yaml",
        benchmark=rules.generate_benchmark.output,
        checkpoint=rules.train_vanilla.output[0],
        sources=sources("evaluate", "model"),
    output:
        "results/{study}/answers/{model}/seed{seed}/vanilla.parquet",
    params:
        checkpoint=subpath(input.checkpoint, parent=True),
    log:
        "logs/{study}/{model}/seed{seed}/evaluate_vanilla.log",
    priority: 40
    resources:
        gpu=GPU,
    shell:
        "{STAGE}.evaluate --config {input.config} --benchmark data/{wildcards.study}"
        " --checkpoint {params.checkpoint} --out {output} --log {log}"


rule evaluate_trained:
    input:
        config="results/{study}/answers/{model}/seed{seed}/forget{ratio}/{method}.yaml",
        benchmark=rules.generate_benchmark.output,
        checkpoint="results/{study}/{model}/seed{seed}/forget{ratio}/{method}/checkpoint/model.safetensors",
        sources=sources("evaluate", "model"),
    output:
        "results/{study}/answers/{model}/seed{seed}/forget{ratio}/{method}.parquet",
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
        "{STAGE}.evaluate --config {input.config} --benchmark data/{wildcards.study}"
        " --checkpoint {params.checkpoint} --out {output} --log {log}"


rule evaluate_pruned:
    input:
        config="results/{study}/answers/{model}/seed{seed}/forget{ratio}/{method}.yaml",
        benchmark=rules.generate_benchmark.output,
        checkpoint=rules.train_vanilla.output[0],
        mask=rules.select_neurons.output.mask,
        sources=sources("evaluate", "model"),
    output:
        "results/{study}/answers/{model}/seed{seed}/forget{ratio}/{method}.parquet",
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
        "{STAGE}.evaluate --config {input.config} --benchmark data/{wildcards.study}"
        " --checkpoint {params.checkpoint} --mask {input.mask} --out {output} --log {log}"


rule evaluate_prompted:
    input:
        config="results/{study}/answers/{model}/seed{seed}/forget{ratio}/{method}.yaml",
        benchmark=rules.generate_benchmark.output,
        checkpoint=rules.train_vanilla.output[0],
        system_prompt=rules.write_prompt.output[0],
        sources=sources("evaluate", "model"),
    output:
        "results/{study}/answers/{model}/seed{seed}/forget{ratio}/{method}.parquet",
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
        "{STAGE}.evaluate --config {input.config} --benchmark data/{wildcards.study}"
        " --checkpoint {params.checkpoint} --system-prompt {input.system_prompt} --out {output} --log {log}"


rule probe_capacity:
    input:
        config="results/{study}/{model}/seed{seed}/capacity.yaml",
        benchmark=rules.generate_benchmark.output,
        vanilla=rules.train_vanilla.output[0],
        answers=rules.evaluate_vanilla.output[0],
        sources=sources("probe_capacity", "model"),
    output:
        "results/{study}/{model}/seed{seed}/capacity.csv",
    params:
        vanilla=subpath(input.vanilla, parent=True),
    log:
        "logs/{study}/{model}/seed{seed}/capacity.log",
    priority: 40
    resources:
        gpu=GPU,
    shell:
        "{STAGE}.probe_capacity --config {input.config} --benchmark data/{wildcards.study}"
        " --vanilla {params.vanilla} --answers {input.answers} --out {output} --log {log}"

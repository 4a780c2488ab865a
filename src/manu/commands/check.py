"""The command `manu check`: what a valid study runs."""

from manu.study.loading import read_study, study_path


def check_study(name: str) -> str:
    """What a study runs, in one line. Raises UserError when its file is not valid or a library is missing."""
    study = read_study(name)
    if study.harness:
        from manu.evaluation.harness import require_harness

        require_harness()
    models = len(study.models) * len(study.seeds)
    others = {
        "variants of the ablation": len(study.ablation.variants) * models,
        "randomly pruned models": len(study.capacity.prune_ratios) * models,
    }
    return (
        f"{study_path(name)} is valid: {', '.join(study.models)}; {', '.join(study.methods)}; "
        f"forget {', '.join(map(str, study.forget_ratios))} percent; "
        f"{models * len(study.forget_ratios) * len(study.methods)} unlearned models"
        f"{''.join(f', {count} {what}' for what, count in others.items() if count)}"
    )

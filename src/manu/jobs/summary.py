"""What a study has produced: its main table on the terminal, and where everything is."""

from pathlib import Path

from manu.core.errors import UserError
from manu.study.cells import answer_files, chosen
from manu.study.model import Study


def part_summary(study: Study, only: str) -> str:
    """The accuracies of the cells that `only` names (manu.study.cells), in short, and where their answers lie.

    Raises UserError when one of them has not been run.
    """
    from manu.analysis.reading import read_all
    from manu.analysis.tables.diverged import diverged_table, listed
    from manu.analysis.tables.main import text_summary
    from manu.analysis.tables.scores import scores

    answers = answer_files(only, study)
    found = scores(read_all(answers))
    found = found[found["forget_ratio"].isin(chosen(only, study)["ratio"])]  # the vanilla model's are of every ratio
    where = "\n".join(f"answers  {path}" for path in answers)
    return f"{text_summary(found, list(study.methods), listed(diverged_table(map(Path, answers))))}\n\n{where}"


def summary(study: Study) -> str:
    """The main table in short, for every model and forget ratio, and the places of all outputs.

    Raises UserError when the study has not been run to its end.
    """
    import pandas as pd

    from manu.analysis.agreement import one_line
    from manu.analysis.score_file import read_scores
    from manu.analysis.tables.diverged import listed
    from manu.analysis.tables.main import text_summary

    name = study.name
    scores = Path(f"results/{name}/scores.csv")
    tables = [Path(f"results/{name}/tables/main_{model}.md") for model in study.models]
    for path in (scores, *tables):
        if not path.is_file():
            raise UserError(f"study '{name}' is not finished: {path} is missing; run: make study STUDY={name}")
    places = {
        "tables": ", ".join(map(str, tables)),
        "figures": f"figures/{name}/",
        "scores": str(scores),
        "answers": f"results/{name}/answers/",
        "models": f"results/{name}/<model>/seed<seed>/",
        "logs": f"logs/{name}/",
        "report": f"results/{name}/report/index.html",
        "audit": f"make audit STUDY={name}",
    }
    where = "\n".join(f"{what:8} {place}" for what, place in places.items())
    diverged = listed(pd.read_csv(f"results/{name}/diverged.csv", dtype={"study": str}))
    table = text_summary(read_scores(scores), list(study.methods), diverged)
    return "\n\n".join(part for part in (table, where, one_line(name)) if part)

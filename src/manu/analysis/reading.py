"""The files that tables and figures are made from, read by the name of their source."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet
import yaml

from manu.analysis.cells import read_cells
from manu.analysis.pruned import read_pruned
from manu.analysis.score_file import CELL_KEYS
from manu.core.diverged import unanswered
from manu.core.errors import UserError
from manu.evaluation.metrics import columns_of
from manu.evaluation.vocabulary import LANGUAGE_TASKS, TASKS
from manu.provenance.record import read_records

QUESTION_KEYS = (*CELL_KEYS, "profile_id", "question_id")
METRIC_COLUMNS = tuple(columns_of(TASKS))
NEEDED_COLUMNS = (*QUESTION_KEYS, *METRIC_COLUMNS)
TEXT_COLUMNS = {"metric_version": str, "study": str}  # of tables; they may look like numbers


class Inputs:
    """What a job of make_table or draw reads: the files of each source that its table or figure needs.

    model: the model of a table that is made once per model; empty otherwise.
    """

    def __init__(self, files: Mapping[str, Sequence[Path]], model: str = "") -> None:
        self.files, self.model = files, model

    def paths(self, source: str) -> list[Path]:
        """The files of a source; none where the study makes none. Raises UserError where the job was not given it."""
        if source not in self.files:
            given = ", ".join(self.files) or "nothing"
            raise UserError(f"the source '{source}' was not given, only: {given}; a table names its sources in `needs`")
        return list(self.files[source])

    def answers(self, *sources: str, columns: Sequence[str] = NEEDED_COLUMNS) -> pd.DataFrame:
        """The answers of these sources, one row per question. Raises UserError as `read_all` does."""
        return read_all([path for source in sources for path in self.paths(source)], columns)

    def masks(self, *sources: str) -> pd.DataFrame:
        """The sites of the masks of these sources (manu.analysis.pruned.PRUNED_COLUMNS)."""
        return read_pruned(path for source in sources for path in self.paths(source))

    def table(self, source: str) -> pd.DataFrame:
        """The rows of the CSV files of a source, one file below the other; an empty frame where there is no file."""
        read = [pd.read_csv(path, dtype=TEXT_COLUMNS) for path in self.paths(source)]
        filled = [rows for rows in read if len(rows)] or read  # a model that diverged has no rows
        return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()

    def text(self, source: str) -> pd.DataFrame:
        """The rows of the CSV files of a source, every cell as the text that stands there."""
        return pd.DataFrame([row for path in self.paths(source) for row in read_cells(path)])

    def records(self, source: str = "records") -> dict[str, dict]:
        """Path -> content of the records of jobs."""
        return read_records(self.paths(source))

    def document(self, source: str) -> Any:
        """The content of a YAML or JSON file."""
        (path,) = self.paths(source)
        text = path.read_text(encoding="utf-8")
        return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)


def read_answers(path: str | Path, columns: Sequence[str] = NEEDED_COLUMNS) -> pd.DataFrame:
    """Columns of one file of answers, and the scores of texts if it has any; no rows where the model diverged.

    Raises UserError naming the file.
    """
    try:
        diverged = unanswered(Path(path))
    except FileNotFoundError as error:
        raise UserError(f"no answers at {path}; the stage that asks the questions writes them") from error
    if diverged:
        return pd.DataFrame(columns=list(columns))
    present = pyarrow.parquet.read_schema(path).names
    check_columns(present, str(path), columns)
    texts = [column for column in columns_of(LANGUAGE_TASKS) if column in present and column not in columns]
    return pd.read_parquet(path, columns=[*columns, *texts])


def read_all(paths: Iterable[str | Path], columns: Sequence[str] = NEEDED_COLUMNS) -> pd.DataFrame:
    """The answers of several files, one below the other. Models that diverged have none.

    Raises UserError as `read_answers` does, and where all diverged.
    """
    parts = [part for part in (read_answers(path, columns) for path in paths) if len(part)]
    if not parts:
        raise UserError("there are no answers: every model diverged; give the study smaller steps")
    return pd.concat(parts, ignore_index=True)


def check_columns(present: Sequence[str], where: str, columns: Sequence[str] = NEEDED_COLUMNS) -> None:
    """Raise UserError that lists the columns that are missing."""
    missing = [column for column in columns if column not in present]
    if missing:
        raise UserError(f"{where}: missing columns: {', '.join(missing)}; needed: {', '.join(columns)}")

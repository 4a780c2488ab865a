"""The file with a job's settings: written when Snakemake asks for the job, and only if its content changed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from manu.core.files import write_text
from manu.study.model import Study
from manu.study.settings import Settings, settings_of

NUMBERS = ("seed", "ratio", "share")  # wildcards that are numbers


def job_of(wildcards: Mapping[str, str]) -> dict[str, Any]:
    """A job's keys from its wildcards. `at` is the folder of a forget ratio, `forget05/`, or empty."""
    job: dict[str, Any] = dict(wildcards)
    if at := job.pop("at", ""):
        job["ratio"] = at.removeprefix("forget").removesuffix("/")
    return job | {key: int(job[key]) for key in NUMBERS if key in job}


class SettingsFiles:
    """Writes the settings of a study's jobs below a folder.

    written: (step, keys, settings) by the path of the file.
    """

    def __init__(self, study: Study, folder: Path = Path()) -> None:
        self.study, self.folder = study, folder
        self.written: dict[str, tuple[str, dict[str, Any], Settings]] = {}

    def write(self, path: str, step: str, job: Mapping[str, Any]) -> str:
        """Write one job's settings if they changed, and return the path of the file. Raises as `settings_of`."""
        file = self.folder / path
        if str(file) not in self.written:
            settings = settings_of(self.study, step, **job)
            text = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)
            if not file.is_file() or file.read_text(encoding="utf-8") != text:
                write_text(file, text)
            self.written[str(file)] = step, dict(job), settings
        return str(file)

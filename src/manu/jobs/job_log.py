"""Writes the jobs of a dry run to a file, in the process of Snakemake (manu.jobs.job_list reads it)."""

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from snakemake.logging import logger
from snakemake_interface_logger_plugins.common import LogEvent

from manu.jobs.job_list import Job
from manu.jobs.settings_files import SettingsFiles


class JobLog(logging.Handler):
    """Writes each job that Snakemake announces as a line of JSON. files: the settings that the workflow wrote."""

    def __init__(self, file: Path, files: SettingsFiles) -> None:
        super().__init__()
        self.file, self.files = file, files

    def install(self) -> None:
        """Listen to Snakemake's log."""
        self.file.write_text("", encoding="utf-8")
        logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line for a job that has settings; the targets have none."""
        if getattr(record, "event", None) == LogEvent.JOB_INFO:
            described = vars(record)
            for path in set(described["input"]) & self.files.written.keys():
                with self.file.open("a", encoding="utf-8") as file:
                    file.write(f"{json.dumps(asdict(self._job(path, described)), default=str)}\n")

    def _job(self, path: str, described: Mapping[str, Any]) -> Job:
        step, keys, settings = self.files.written[path]
        settings_file = Path(path).relative_to(self.files.folder).as_posix()
        inputs = [settings_file if file == path else file for file in _texts(described["input"])]
        return Job(
            rule=described["rule_name"],
            step=step,
            keys={key: value for key, value in keys.items() if key != "study"},
            settings_file=settings_file,
            settings=settings,
            inputs=inputs,
            outputs=_texts(described["output"]),
            threads=described["threads"],
            gpus=described["resources"].get("gpu", 0),
            command=described["shellcmd"] or "",
        )


def _texts(files: Iterable[Any]) -> list[str]:
    return [str(file) for file in files]

"""The jobs that the workflow lists for a study outside of the repository."""

from pathlib import Path

from manu.jobs.job_list import Job, jobs_of
from manu.study.model import Study
from manu.study.settings import Settings, settings_of

ROOT = Path(__file__).parents[1]


def listed(study: Path | str, target: str = "all") -> dict[str, Job]:
    """The jobs for a target by the path of their settings, of a study below the working folder."""
    for name in ("Snakefile", "workflow", "docs", "src", "config", "data/reported"):
        path = Path(name)
        path.parent.mkdir(exist_ok=True)
        if not path.exists():
            path.symlink_to(ROOT / name)
    return {job.settings_file: job for job in jobs_of(study, target)}


def settings_by_file(study: Study, jobs: dict[str, Job]) -> dict[str, Settings]:
    """What the same jobs would have as their settings in another study."""
    return {path: settings_of(study, job.step, **job.keys) for path, job in jobs.items()}

"""The jobs of a study from their records, and the check of every file against those records.

The records are the only source: neither Snakemake's metadata nor file dates count. Paths are relative to `root`, the
folder of the repository or of an unpacked bundle.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

from manu.audit.asked_for import check_job, note_changed_rules
from manu.audit.findings import Report
from manu.core.errors import UserError
from manu.jobs.job_list import Job, jobs_of
from manu.provenance.hashes import RECORD_SUFFIX, sha256_of_file
from manu.provenance.lineage import behind, files, job_name, made_from, ordered, producers, script
from manu.provenance.record import read_record
from manu.study.loading import BUNDLE

TOPS = ("data", "results", "figures")
ATTACKS = ("robustness", "sequential")  # folders of the jobs that only the target `robustness` runs
LEFT_OUT = "/checkpoint/"  # a bundle may leave out files below such a folder, and no others


class Chain:
    """The records of one study below `root`, and the files that they name."""

    def __init__(self, study: str, root: Path = Path()) -> None:
        self.study, self.root = study, root
        self.jobs: dict[str, dict] = {}
        self.unreadable: dict[str, str] = {}
        for top in TOPS:
            for path in sorted((root / top / study).rglob(f"*{RECORD_SUFFIX}")):
                name = path.relative_to(root).as_posix()
                try:
                    self.jobs[name] = read_record(path)
                except UserError as error:
                    self.unreadable[name] = str(error).removeprefix(f"{path}: ")
        self._hashes: dict[str, str | None] = {}
        self._behind: dict[str, set[str]] = {}

    @cached_property
    def producers(self) -> dict[str, str]:
        """Output file -> record of the job that wrote it."""
        return producers(self.jobs)

    @cached_property
    def left_out(self) -> dict[str, str]:
        """Files that a bundle leaves out -> their checksums; empty in a repository."""
        path = self.root / BUNDLE
        listed = json.loads(path.read_text(encoding="utf-8"))["left_out"] if path.is_file() else {}
        return {file: checksum for file, checksum in listed.items() if LEFT_OUT in file}

    def checksum(self, file: str) -> str | None:
        """sha256 of a file; None if it does not exist."""
        if file not in self._hashes:
            path = self.root / file
            self._hashes[file] = sha256_of_file(path) if path.is_file() else None
        return self._hashes[file]

    def is_produced(self, file: str) -> bool:
        """Whether a file lies in one of the folders of the study's outputs."""
        return file.startswith(tuple(f"{top}/{self.study}/" for top in TOPS))

    def is_left_out(self, file: str) -> bool:
        """Whether the bundle leaves this file out."""
        return self.checksum(file) is None and file in self.left_out

    def maker(self, file: str) -> tuple[str, dict]:
        """(path, content) of the record of the job that wrote `file`. Raises UserError if there is none."""
        if file not in self.producers:
            broken = next((f"; {name} cannot be used: {why}" for name, why in self.unreadable.items()), "")
            raise UserError(f"{file}: no record of study '{self.study}' names it as an output{broken}")
        name = self.producers[file]
        return name, self.jobs[name]

    def sources_of(self, name: str) -> list[str]:
        """The records of the jobs whose outputs a job read, in the order of its inputs."""
        return made_from(self.jobs[name], self.producers)

    def behind(self, names: Iterable[str]) -> dict[str, None]:
        """The records of jobs, and of all jobs that those were made from."""
        return behind(names, self.sources_of)

    @cached_property
    def _read_by_job(self) -> dict[str, set[str]]:
        """Record -> the files that its job read, settings and code included."""
        return {
            name: {*files(record["inputs"]), *record["sources"], record["configuration"]["path"]}
            for name, record in self.jobs.items()
        }

    def files_behind(self, file: str) -> set[str]:
        """The files that an output, or a record, was made from, and the records of the jobs before it."""
        if file == "README.md":  # its block is a copy
            file = f"results/{self.study}/readme.md"
        if file not in self._behind:
            own = self.producers.get(file, file)
            before = self.behind([own]) if own in self.jobs else {}
            self._behind[file] = {*before}.union(*(self._read_by_job[name] for name in before)) - {file}
        return self._behind[file]

    def ordered(self) -> list[str]:
        """All records; a job comes after those whose outputs it read."""
        return ordered(self.jobs)


def check_chain(chain: Chain, study: str | Path, report: Report) -> set[str]:
    """Every job that the workflow lists for the study has a record, and every file that the record names is unchanged.

    study: name or file. The jobs of the target `robustness` are expected once one of them has run. Counts "jobs" and
    "files". Returns the records that are expected.
    """
    records, targets = _expected(chain, study, report)
    edited: dict[str, list[str]] = {}
    for name, job in records.items():
        if name in chain.jobs:
            check_job(name, chain.jobs[name], job, report)
            for problem, where in job_problems(chain, name):
                if problem.endswith("the job"):
                    edited.setdefault(f"{where}: {problem}", []).append(name)
                else:
                    report.fail(where, problem)
            report.counts["jobs"] += 1
        elif name not in chain.unreadable:
            report.fail(name, f"is missing: no record of the job; make {targets[name]} STUDY={chain.study} runs it")
    for name, why in chain.unreadable.items():
        report.fail(name, why)
    for place, jobs in edited.items():
        where, _, problem = place.partition(": ")
        others = f" and {len(jobs) - 1} more" if len(jobs) > 1 else ""
        report.fail(where, f"{problem} that left {jobs[0]}{others}")
    _check_strays(chain, records, report)
    note_changed_rules(chain.root, chain.jobs.values(), report)
    return set(records)


def _expected(chain: Chain, study: str | Path, report: Report) -> tuple[dict[str, Job], dict[str, str]]:
    """The jobs that should have run, and the targets of `make` that run them, by record.

    A workflow that cannot be read is a failure; then no job is expected, and the other checks go on.
    """
    try:
        jobs = {"study": {job.record: job for job in jobs_of(study)}}
        if any(name.startswith(f"results/{chain.study}/{folder}/") for name in chain.jobs for folder in ATTACKS):
            jobs["robustness"] = {job.record: job for job in jobs_of(study, "robustness")}
    except UserError as error:
        report.fail(str(study), str(error))
        return {}, {}
    targets = {name: target for target, found in reversed(jobs.items()) for name in found}
    return {name: job for found in jobs.values() for name, job in found.items()}, targets


def job_problems(chain: Chain, name: str) -> Iterator[tuple[str, str]]:
    """(mistake, file) of every difference from a record: sources, settings, inputs and outputs."""
    record = chain.jobs[name]
    for file, checksum in record["sources"].items():
        if chain.checksum(file) != checksum:
            yield f"{_changed(chain, file)} since the job", file
    if script(record) not in record["sources"]:
        yield f"its sources lack {script(record)}, the step that it ran", name
    configuration = record["configuration"]
    if chain.checksum(configuration["path"]) != configuration["sha256"]:
        yield f"{_changed(chain, configuration['path'])} since the job that it configures", configuration["path"]
    for file, checksum in files(record["outputs"]).items():
        if chain.producers[file] != name:
            yield f"is an output in two records: {name} and {chain.producers[file]}", file
        if chain.checksum(file) != checksum and not chain.is_left_out(file):
            yield f"{_changed(chain, file)} since {job_name(record)} wrote it", file
        if chain.is_left_out(file) and chain.left_out[file] != checksum:
            yield f"{file} has another checksum here than in the list of files left out of the bundle", name
    for file, checksum in files(record["inputs"]).items():
        if file not in chain.producers and file not in chain.jobs and chain.is_produced(file):
            yield f"it read {file}, which no record names as an output", name
        elif file not in chain.producers:  # another job's record, or a file in git, such as the published numbers
            if chain.checksum(file) != checksum:
                yield f"{_changed(chain, file)} since {job_name(record)} read it", file
        elif files(chain.jobs[chain.producers[file]]["outputs"])[file] != checksum:
            wrote = job_name(chain.jobs[chain.producers[file]])
            yield f"run the workflow again: {wrote} wrote another version of it than was read by the job", file


def _changed(chain: Chain, file: str) -> str:
    return "is missing" if chain.checksum(file) is None else "was changed"


def _check_strays(chain: Chain, records: Mapping[str, Job], report: Report) -> None:
    """Files that no record names are failures; records of jobs that the study no longer has are a note."""
    left = [name for name in chain.jobs if name not in records]
    if left:
        report.notes.append(f"{len(left)} jobs are no longer part of the study, such as {left[0]}")
    known = {*records, *chain.producers, *chain.unreadable, *(job.settings_file for job in records.values())}
    known |= {record["configuration"]["path"] for record in chain.jobs.values()}
    for top in TOPS:
        for path in sorted((chain.root / top / chain.study).rglob("*")):
            name = path.relative_to(chain.root)
            if path.is_file() and not any(part.startswith(".") for part in name.parts):
                report.counts["files"] += 1
                if name.as_posix() not in known and not name.name.endswith(RECORD_SUFFIX):
                    report.fail(name.as_posix(), "no record says who made it; delete it, or run the workflow again")

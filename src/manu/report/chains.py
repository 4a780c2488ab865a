"""The jobs behind each run and each file, from their records, and their places in the page."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from manu.provenance.hashes import RECORD_SUFFIX
from manu.provenance.lineage import (
    behind,
    files,
    job_name,
    made_from,
    main_output,
    ordered,
    producers,
    script,
)

EVALUATE, ATTACK = "manu.steps.evaluate", "manu.steps.attack"


def run_id(model: str, ratios: Sequence[str], method: str) -> str:
    """The id of a run in the page. A run over several forget ratios has none of them in its id."""
    return _plain("-".join(["run", model, *(ratios if len(ratios) == 1 else []), method]))


def seed_id(run: str, seed: str) -> str:
    """The id of one seed of a run."""
    return _plain(f"{run}-seed{seed}")


@dataclass(frozen=True)
class Job:
    """One job of the page: its record, id, step, main output, and the records of the jobs that it was made from."""

    name: str
    anchor: str
    rule: str
    place: str  # its record's path within the study, without the ending
    script: str
    configuration: str
    output: str
    checksum: str  # of the main output, 12 digits
    more: int  # number of other outputs
    seconds: float
    sources: Sequence[str]


@dataclass(frozen=True)
class Run:
    """The answers of a method at one forget ratio and seed.

    own: the jobs of this run alone, with the attacks on its model at the end; shared: jobs before them that other runs
    share.
    """

    anchor: str
    seed: str
    shared: Sequence[Job]
    own: Sequence[Job]


@dataclass
class Runs:
    """The runs of one model, method and forget ratio, one per seed."""

    anchor: str
    model: str
    label: str
    runs: list[Run] = field(default_factory=list)


@dataclass(frozen=True)
class File:
    """The tables or the figure of one job, and the jobs before it; job: None if no record names the file."""

    anchor: str
    paths: Sequence[str]
    job: Job | None
    read_runs: Sequence[tuple[str, Sequence[tuple[str, str]]]]  # read by the job itself: (model, [(anchor, label)])
    runs_before: int  # runs further back
    before: Sequence[Job]  # other jobs, data first


class Chains:
    """The jobs of the page, and the id of the chain behind each number.

    records: path -> content of each job's record; files: paths of the tables and figures on the page.
    """

    def __init__(self, study: str, records: Mapping[str, Mapping], files: Sequence[str]) -> None:
        self._study, self._records = study, dict(sorted(records.items()))
        self._producers = producers(self._records)
        self._taken: set[str] = set()
        order = ordered(self._records)
        self.jobs = {name: self._job(name, f"job-{place}") for place, name in enumerate(order, start=1)}
        self._before = {name: behind(self._sources(name), self._sources) for name in order}
        self._evaluations, attacks = (
            [name for name in order if self._records[name]["stage"] == stage] for stage in (EVALUATE, ATTACK)
        )
        self._links: dict[tuple, str] = {}
        self.runs, used = self._runs(attacks)
        self.shared = [job for name, job in self.jobs.items() if used.get(name, 0) > 1]
        together: dict[str, list[str]] = {}
        for path in files:
            together.setdefault(self._producers.get(path, path), []).append(path)
        self.files = [self._file(maker, paths) for maker, paths in together.items()]
        self._file_anchors = {path: file.anchor for file in self.files for path in file.paths}
        listed = {job.name for job in self.shared} | {file.job.name for file in self.files if file.job}
        listed |= {job.name for runs in self.runs for run in runs.runs for job in run.own}
        self.others = [job for name, job in self.jobs.items() if name not in listed]

    def file(self, path: str) -> str:
        """The id of a table's or figure's chain."""
        return self._file_anchors[path]

    def run(self, model: str, method: str, ratio: str, seed: str | None = None, *, otherwise: str) -> str:
        """The id of a run; without a seed, of its runs of all seeds; `otherwise` if there is no such run."""
        return self._links.get((model, method, str(ratio), seed), otherwise)

    def _sources(self, name: str) -> list[str]:
        return made_from(self._records[name], self._producers)

    def _job(self, name: str, anchor: str) -> Job:
        record = self._records[name]
        written, main = files(record["outputs"]), main_output(record)
        place = name.removesuffix(RECORD_SUFFIX)
        for top in ("results", "figures", "data"):
            place = place.removeprefix(f"{top}/{self._study}/")
        return Job(
            name=name,
            anchor=self._id(anchor),
            rule=job_name(record),
            place=place,
            script=script(record),
            configuration=record["configuration"]["path"],
            output=main,
            checksum=written[main][:12],
            more=len(written) - 1,
            seconds=record["cost"]["wall_seconds"],
            sources=self._sources(name),
        )

    def _runs(self, attacks: Sequence[str]) -> tuple[list[Runs], dict[str, int]]:
        """The runs by model, ratio and method; and for each job, the number of runs that it is behind."""
        used: dict[str, int] = {}
        for name in self._evaluations:
            for job in (name, *self._before[name]):
                used[job] = used.get(job, 0) + 1
        found: dict[tuple, Runs] = {}
        for name in sorted(self._evaluations, key=self._run_order):
            asked = self._records[name]["configuration"]["content"]
            ratios, seed = [str(ratio) for ratio in asked["ratios"]], str(asked["seed"])
            key = (asked["model"], asked["method"], tuple(ratios))
            if key not in found:
                label = f"{asked['method']}, {', '.join(ratios)} %"
                place = run_id(asked["model"], ratios, asked["method"])
                found[key] = Runs(self._id(place), asked["model"], label)
            before = [self.jobs[job] for job in self.jobs if job in self._before[name]]
            run = Run(
                self._id(seed_id(found[key].anchor, seed)),
                seed,
                [job for job in before if used[job.name] > 1],
                [
                    *(job for job in before if used[job.name] == 1),
                    self.jobs[name],
                    *(self.jobs[attack] for attack in attacks if self._same_model(attack, name)),
                ],
            )
            found[key].runs.append(run)
            for ratio in ratios:
                cell = (asked["model"], asked["method"], ratio)
                self._links.setdefault((*cell, None), found[key].anchor)
                self._links.setdefault((*cell, seed), run.anchor)
        return list(found.values()), used

    def _same_model(self, attack: str, evaluation: str) -> bool:
        """Whether a job attacked the model whose answers another job stored."""
        one, other = (self._records[name]["configuration"]["content"] for name in (attack, evaluation))
        same = all(one[key] == other[key] for key in ("model", "method", "seed"))
        return same and set(one["ratios"]) <= set(other["ratios"])

    def _run_order(self, name: str) -> tuple:
        asked = self._records[name]["configuration"]["content"]
        ratios = [-len(asked["ratios"]), *asked["ratios"]]  # a run over all ratios comes first
        return asked["model"], ratios, asked["seed"], name

    def _file(self, name: str, paths: Sequence[str]) -> File:
        anchor = self._id(f"file-{PurePosixPath(paths[0]).stem}")
        if name not in self.jobs:
            return File(anchor, paths, None, (), 0, ())
        runs = [job for job in self._evaluations if job in self._before[name]]
        inside = {job.name for group in self.runs for run in group.runs for job in run.own}
        inside = inside.union(*(self._before[job] for job in runs))
        direct = [job for job in runs if job in self.jobs[name].sources]
        read: dict[str, list[tuple[str, str]]] = {}
        for group in self.runs:
            for run in group.runs:
                if any(job.name in direct for job in run.own):
                    seed = f", seed {run.seed}" if len(group.runs) > 1 else ""
                    read.setdefault(group.model, []).append((run.anchor, f"{group.label}{seed}"))
        before = [job for other, job in self.jobs.items() if other in self._before[name].keys() - inside]
        return File(anchor, paths, self.jobs[name], list(read.items()), len(runs) - len(direct), before)

    def _id(self, wanted: str) -> str:
        """An id that no other element of the chains has; a number is added if needed."""
        plain = _plain(wanted)
        anchor, count = plain, 2
        while anchor in self._taken:
            anchor, count = f"{plain}-{count}", count + 1
        self._taken.add(anchor)
        return anchor


def _plain(wanted: str) -> str:
    """A text with only the characters of an id."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", wanted)

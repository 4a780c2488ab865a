"""The plan of a study: its jobs, each with what it takes on a device, added up by rule."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from manu.jobs.job_list import Job, jobs_of
from manu.models.loading import prepare_torch
from manu.planning import benchmark_sizes, devices, model_sizes
from manu.planning.devices import Device
from manu.planning.published import BENCHMARKS, MMMU
from manu.planning.step_costs import Cost, Subject, cost
from manu.study.model import Source, Study


@dataclass(frozen=True)
class Estimate:
    """One job: seconds on the device, the start included; seconds of its work alone; bytes in a card's memory (0
    without one) and in the machine's; bytes written."""

    job: Job
    seconds: float
    work_seconds: float
    card_bytes: float
    host_bytes: float
    disk_bytes: float

    @property
    def name(self) -> str:
        """`unlearn kl on llava`."""
        keys = self.job.keys
        words = [self.job.rule, keys.get("method", ""), f"on {keys['model']}" if "model" in keys else ""]
        return " ".join(word for word in words if word)


@dataclass(frozen=True)
class Plan:
    """A study on a device. downloads: what of -> bytes."""

    study: Study
    device: Device
    estimates: list[Estimate]
    subjects: dict[str, Subject]
    downloads: dict[str, float]

    def by_rule(self) -> dict[str, list[Estimate]]:
        """The jobs of each rule, in the order of the workflow."""
        found: dict[str, list[Estimate]] = {}
        for each in self.estimates:
            found.setdefault(each.job.rule, []).append(each)
        return found


def make_plan(study: Study, given: str, device: Device, target: str = "all") -> Plan:
    """Plan a study for a target of the workflow. given: the study's name or file. Raises UserError."""
    jobs = jobs_of(given, target)
    subjects = {subject.name: subject for subject in study_subjects(study)}
    estimates = [estimate(job, cost(study, subjects, job), device) for job in jobs]
    return Plan(study, device, estimates, subjects, study_downloads(study, subjects))


def estimate(job: Job, cost: Cost, device: Device) -> Estimate:
    """seconds = start + flop / flop per second + layers * seconds of a layer + traffic / bandwidth + moved / speed."""
    work = cost.work
    seconds = work.flop / device.flop_per_second + work.layers * device.layer_seconds
    seconds += work.traffic / device.bandwidth + work.moved / devices.BYTES_PER_SECOND
    on_card = device.is_card and job.runs_model
    card = devices.CARD_BYTES + cost.memory if on_card else 0.0
    host = devices.PROCESS_BYTES_WITH_CARD + cost.weights if on_card else devices.PROCESS_BYTES + cost.memory
    host += cost.pictures
    return Estimate(job, device.start_seconds + seconds, seconds, card, host, cost.disk)


def study_subjects(study: Study) -> Iterable[Subject]:
    """The study's models, each with its sizes and those of the benchmark in its tokens. Raises UserError."""
    prepare_torch(seed=0)  # and the libraries quiet
    if study.benchmark.is_fetched:
        for name, model in study.models.items():
            if model.start:  # as every model of a fetched benchmark
                yield fetched_subject(study, name, model.start)
        return
    with benchmark_sizes.scratch_folder() as scratch:
        folder, source = benchmark_sizes.benchmark_folder(study, Path(scratch))
        for name, model in study.models.items():
            if model.start:
                yield fetched_subject(study, name, model.start)
                continue
            vlm = model_sizes.built_model(name, model, benchmark_sizes.corpus(folder))
            counted = benchmark_sizes.counted_sizes(study, vlm, folder, source)
            found = model_sizes.measured_sizes(vlm, "counted", model_sizes.picture_tokens(vlm))
            yield Subject(name, found, counted)


def fetched_subject(study: Study, name: str, start: Source) -> Subject:
    """A model that starts from a checkpoint, on the benchmark's published sizes."""
    found = model_sizes.fetched_sizes(name, start, Path(f"results/{study.name}/{name}/start"))
    return Subject(name, found, benchmark_sizes.published_sizes(study, found.picture_tokens))


def study_downloads(study: Study, subjects: dict[str, Subject]) -> dict[str, float]:
    """Bytes from the model hub; of a checkpoint: its parameters times the bytes that its files store for each."""
    found: dict[str, float] = {}
    for name, model in study.models.items():
        for source in (model.start, model.vanilla):
            if source and source.repo:
                found[source.repo] = subjects[name].model.parameters * subjects[name].model.stored_bytes
    if study.benchmark.repo:
        benchmark = BENCHMARKS[study.benchmark.format_name]
        found[study.benchmark.repo] = benchmark["pictures"] * benchmark["picture_bytes"]
    if study.harness and study.harness.dataset.repo:
        found[study.harness.dataset.repo] = MMMU["bytes"]
    return found

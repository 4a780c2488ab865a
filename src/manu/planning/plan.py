"""The plan of a study: its jobs, each with what it takes on a device, added up by rule."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from manu.models.loading import prepare_torch
from manu.planning import anatomy, devices, sizes
from manu.planning.devices import Device
from manu.planning.jobs import Job, planned_jobs
from manu.planning.published import BENCHMARKS, MMMU
from manu.planning.stages import Cost, Subject, cost
from manu.study.loading import format_name, is_fetched


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
        config = self.job.config
        words = [self.job.rule, config.get("method", ""), f"on {config['model']}" if "model" in config else ""]
        return " ".join(word for word in words if word)


@dataclass(frozen=True)
class Plan:
    """A study on a device. downloads: what of -> bytes."""

    study: dict
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


def make_plan(study: dict, given: str, device: Device, target: str = "all") -> Plan:
    """Plan a study (from `load_study`; given: its name or file) and a target of the workflow. Raises UserError."""
    jobs = planned_jobs(given, target)
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


def study_subjects(study: dict) -> Iterable[Subject]:
    """The study's models, each with its sizes and those of the benchmark in its tokens. Raises UserError."""
    prepare_torch(seed=0)  # and the libraries quiet
    if is_fetched(study["benchmark"]):
        for name in study["models"]:
            yield fetched_subject(study, name)
        return
    with sizes.scratch_folder() as scratch:
        folder, source = sizes.benchmark_folder(study, Path(scratch))
        for name, model in study["models"].items():
            if "start" in model:
                yield fetched_subject(study, name)
                continue
            vlm = anatomy.built_adapter(name, model, sizes.corpus(folder))
            counted = sizes.counted_sizes(study, vlm, folder, source)
            yield Subject(name, anatomy.dissect(vlm, "counted", anatomy.picture_tokens(vlm)), counted)


def fetched_subject(study: dict, name: str) -> Subject:
    """A model that starts from a checkpoint, on the benchmark's published sizes."""
    found = anatomy.fetched_anatomy(name, study["models"][name]["start"], Path(f"results/{study['name']}/{name}/start"))
    return Subject(name, found, sizes.published_sizes(study, found.picture_tokens))


def study_downloads(study: dict, subjects: dict[str, Subject]) -> dict[str, float]:
    """Bytes that come from the hub: a checkpoint is its parameters times what the released files store of each."""
    found = {}
    for name, model in study["models"].items():
        for which in ("start", "vanilla"):
            if "repo" in model.get(which, {}):
                found[model[which]["repo"]] = subjects[name].anatomy.parameters * subjects[name].anatomy.stored_bytes
    if "repo" in study["benchmark"]:
        benchmark = BENCHMARKS[format_name(study["benchmark"])]
        found[study["benchmark"]["repo"]] = benchmark["pictures"] * benchmark["picture_bytes"]
    if "repo" in study.get("harness", {}).get("dataset", {}):
        found[study["harness"]["dataset"]["repo"]] = MMMU["bytes"]
    return found

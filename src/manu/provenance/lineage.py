"""What a set of records says together: who made a file, what a job was made from, and in which order jobs ran."""

from collections.abc import Callable, Iterable, Mapping

from manu.provenance.hashes import RECORD_SUFFIX, sha256_of_json

_BESIDE = ("manu.steps.attack", "manu.steps.forget_in_turn", "manu.steps.write_explorer")  # not in the fingerprint


def files(groups: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """File -> checksum of a record's inputs or outputs, whatever the option they belong to."""
    return {file: checksum for group in groups.values() for file, checksum in group.items()}


def producers(records: Mapping[str, Mapping]) -> dict[str, str]:
    """Output file -> name of the record of the job that wrote it."""
    return {file: name for name, record in records.items() for file in files(record["outputs"])}


def made_from(record: Mapping, makers: Mapping[str, str]) -> list[str]:
    """Names of the jobs whose outputs a job read, each once, in the order of its inputs. makers: `producers`."""
    found = (makers.get(file) for file in files(record["inputs"]))
    return list(dict.fromkeys(name for name in found if name))


def behind(starts: Iterable[str], sources_of: Callable[[str], Iterable[str]]) -> dict[str, None]:
    """The names of the jobs to start from, and of all jobs that those were made from, each once."""
    found: dict[str, None] = {}
    waiting = list(starts)
    while waiting:
        job = waiting.pop()
        if job not in found:
            found[job] = None
            waiting += sources_of(job)
    return found


def job_name(record: Mapping) -> str:
    """The rule that ran a job; the name of its step where no rule did."""
    return record["rule"] or record["stage"].rpartition(".")[2]


def script(record: Mapping) -> str:
    """The file of the step that a job ran."""
    return f"src/{record['stage'].replace('.', '/')}.py"


def main_output(record: Mapping) -> str:
    """The output that stands for a job: its weights or its table, if it wrote any."""
    return max(files(record["outputs"]), key=lambda file: file.endswith(("model.safetensors", ".csv")))


def ordered(records: Mapping[str, Mapping]) -> list[str]:
    """All names, every job after those whose outputs it read."""
    makers: dict[str, str] = producers(records)
    done: dict[str, None] = {}

    def visit(name: str, above: tuple[str, ...] = ()) -> None:
        if name not in done and name not in above:
            for source in made_from(records[name], makers):
                visit(source, (*above, name))
            done[name] = None

    for name in records:
        visit(name)
    return list(done)


def fingerprint(records: Iterable[Mapping], checksum: Callable[[str], str | None] | None = None) -> str:
    """One checksum of a study: sha256 over the paths and checksums of what its jobs wrote.

    The same inputs, code and machine give the same one, on the study's page and in its audit. Left out are pages, what
    shows how long jobs took (which never comes out the same twice: the outputs of jobs that read records), the attacks,
    which may run later or never, and everything made from these. Printed elsewhere, in a paper say, it also shows what
    no audit from inside can: that the whole chain was rewritten.

    checksum: of a file as it is now; by default as its record has it.
    """
    jobs = {str(number): record for number, record in enumerate(records)}
    left_out: set[str] = set()
    written: dict[str, str | None] = {}
    for job in ordered(jobs):
        wrote, read = files(jobs[job]["outputs"]), files(jobs[job]["inputs"])
        if jobs[job]["stage"] in _BESIDE or any(file.endswith(RECORD_SUFFIX) or file in left_out for file in read):
            left_out |= wrote.keys()
        else:
            written |= {file: checksum(file) for file in wrote} if checksum else wrote
    return sha256_of_json(written)

"""What an audit says: the cause first, and in short what follows from it."""

import subprocess

from manu.audit.asked_for import check_job, note_changed_rules
from manu.audit.findings import Finding, Report, causes, lines_of
from manu.jobs.job_list import Job

BEHIND = {"scores.csv": {"a.parquet"}, "main.csv": {"scores.csv", "a.parquet"}, "explore.html": {"a.parquet"}}


def told(*findings: Finding) -> list[str]:
    return lines_of(causes(findings, lambda file: BEHIND.get(file, set())))


def test_what_follows_stands_below_its_cause():
    page = [Finding(f"explore.html, line {line}", "1; computed again: 2", computed=True) for line in range(6)]
    scores = Finding("scores.csv, line 2 (ga), column value", "1; computed again: 2", computed=True)
    main = Finding("main.csv, line 2 (ga), column forget", "1; computed again: 2", computed=True)
    changed = Finding("a.parquet", "was changed since evaluate wrote it")
    assert told(*page, main, changed, scores) == [
        "✗ a.parquet: was changed since evaluate wrote it",
        "  and what follows from it, in 3 files: explore.html, main.csv, scores.csv",
    ]


def test_a_file_with_a_mistake_of_its_own_is_not_put_below_another():
    lines = told(
        Finding("a.parquet", "was changed since evaluate wrote it"),
        Finding("main.csv", "was changed since make_main wrote it"),
        Finding("main.csv, line 2 (ga), column forget", "1; computed again: 2", computed=True),
    )
    assert [line for line in lines if line.startswith("✗")] == lines and len(lines) == 3


def test_without_another_cause_the_first_file_that_is_wrong_is_the_cause():
    wrong = [Finding(file, "1; computed again: 2", computed=True) for file in ("main.csv", "scores.csv")]
    assert told(*wrong) == ["✗ scores.csv: 1; computed again: 2", "  and what follows from it, in 1 file: main.csv"]


def test_many_findings_are_counted():
    cells = [Finding(f"a.parquet, row {row}", f"{row}; asked again: 9") for row in range(8)]
    assert told(*cells)[5:] == ["  and 3 more findings in a.parquet"]
    files = [Finding(f"{name}.json", "is missing") for name in "abc"]
    assert told(*files) == ["✗ a.json: is missing", "  and the same in 2 files: b.json, c.json"]


def job(command: str) -> Job:
    settings = {"seed": 0, "method": "ga"}
    return Job("unlearn", "unlearn", {}, "r/unlearn.yaml", settings, [], [], threads=1, gpus=1, command=command)


RECORD = {
    "rule": "unlearn",
    "stage": "manu.steps.unlearn",
    "seed": 0,
    "configuration": {"path": "r/unlearn.yaml", "content": {"seed": 0, "method": "ga"}},
    "options": {
        "benchmark": "data/s",
        "vanilla": "r/vanilla",
        "statistics": None,
        "choice": None,
        "reference": None,
        "out": "r/ga",
        "ratio": 10,
    },
}
COMMAND = (
    "python -m manu.jobs.start manu.steps.unlearn --benchmark data/s --vanilla r/vanilla --ratio 10 --out r/ga"
    " --rule unlearn --config /tmp/x/r/unlearn.yaml --log l"
)


def said_of(command: str) -> list[str]:
    report = Report()
    check_job("r/unlearn.provenance.json", RECORD, job(command), report)
    return [finding.what for finding in report.findings]


def test_a_rule_that_would_start_a_job_otherwise_is_found():
    assert said_of(COMMAND) == []
    assert said_of(COMMAND.replace("ratio 10", "ratio 5")) == [
        "the job ran with ratio 10; the workflow's rules ask for 5"
    ]
    assert said_of(COMMAND.replace("r/vanilla", "r/retain_only")) == [
        "the job ran with vanilla r/vanilla; the workflow's rules ask for r/retain_only"
    ]
    (mistake,) = said_of(COMMAND + " --unknown 3")
    assert mistake.startswith("the workflow cannot start the job again: its rule unlearn")


def test_rule_files_that_changed_since_the_jobs_ran_are_noted(tmp_path):
    def git(*words: str) -> str:
        command = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    rules = tmp_path / "workflow/rules/unlearn.smk"
    rules.parent.mkdir(parents=True)
    rules.write_text("rule unlearn:\n")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "rules")
    record = {"repository": {"commit": git("rev-parse", "HEAD"), "clean": True}}

    def notes() -> list[str]:
        report = Report()
        note_changed_rules(tmp_path, [record, record, {"repository": {"commit": None}}], report)
        return report.notes

    assert notes() == []
    rules.write_text("# \nrule unlearn:\n")
    (note,) = notes()
    assert note.startswith("workflow/rules/unlearn.smk: changed since commit ") and note.endswith("2 jobs ran")

"""Reference snapshots in git: tables and figures of finished studies, and the README's block of results."""

import json
import shutil
from pathlib import Path

from PIL import Image

from manu.analysis import readme
from manu.audit.chain import Chain
from manu.audit.snapshots import write_checksums
from manu.audit.whole import audit_study
from manu.core.errors import UserError
from manu.core.files import atomic_path, write_text
from manu.study.loading import read_study

README = Path("README.md")
SNAPSHOT = ("scores.csv", "outcomes.csv", "diverged.csv", "costs.csv", "readme.md", "readme.csv", "tables")


def publish(study: str | Path) -> str:
    """Copy a finished study to reference/ and fill the README's block from it. Raises UserError as `snapshot` does."""
    taken = snapshot(study)
    block = (Path("results") / read_study(study).name / "readme.md").read_text(encoding="utf-8")
    write_text(README, readme.fill(README.read_text(encoding="utf-8"), block))
    return f"{taken}; {README} shows them"


def snapshot(study: str | Path) -> str:
    """Copy a finished study's tables and figures to reference/.

    study: name or file. Raises UserError if it does not pass its audit; findings in the README do not count.
    """
    name = read_study(study).name
    report = audit_study(study)
    failures = [finding for finding in report.findings if not finding.where.startswith(README.name)]
    if failures:
        raise UserError(f"study '{name}' does not pass its audit: {failures[0]}; run: make audit STUDY={name}")
    results, target = Path("results") / name, Path("results/reference") / name
    with atomic_path(target) as temporary:
        temporary.mkdir()
        for part in SNAPSHOT:
            _copy(results / part, temporary / part)
        write_text(
            temporary / "run.json",
            json.dumps(run_of(Chain(name), report.fingerprint), indent=1, ensure_ascii=False) + "\n",
        )
    with atomic_path(Path("figures/reference") / name) as temporary:
        _copy(Path("figures") / name, temporary)
        for picture in temporary.glob("*.png"):
            _fewer_colours(picture)
    write_checksums(name)
    return f"{target}/ holds the numbers of study '{name}'"


def _fewer_colours(picture: Path) -> None:
    """Write a PNG file anew with 256 colours, which takes a third of the space and shows the same to the eye."""
    with Image.open(picture) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(picture, optimize=True)


def run_of(chain: Chain, fingerprint: str) -> dict:
    """Devices, packages, commits, and per rule the jobs, their seconds added up and the highest memory."""
    records = list(chain.jobs.values())
    devices = {json.dumps(record["device"], sort_keys=True) for record in records if record["device"]["threads"]}
    rules: dict[str, dict] = {}
    for record in records:
        rule = rules.setdefault(str(record["rule"]), {"jobs": 0, "wall_seconds": 0.0, "peak_memory_bytes": 0})
        rule["jobs"] += 1
        rule["wall_seconds"] = round(rule["wall_seconds"] + record["cost"]["wall_seconds"], 1)
        rule["peak_memory_bytes"] = max(rule["peak_memory_bytes"], record["cost"]["peak_memory_bytes"])
    return {
        "fingerprint": fingerprint,
        "commits": sorted({str(record["repository"]["commit"]) for record in records}),
        "clean": all(record["repository"]["clean"] for record in records),
        "devices": [json.loads(device) for device in sorted(devices)],
        "packages": dict(sorted({item for record in records for item in record["packages"].items()})),
        "rules": dict(sorted(rules.items())),
    }


def _copy(source: Path, target: Path) -> None:
    """Copy a file or folder, without settings, records and vector graphics: every clone takes what is in git."""
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.yaml", "*.provenance.json", "*.svg", ".*"))
    else:
        shutil.copy2(source, target)

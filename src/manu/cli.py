"""The command `manu`: everything about a study but running it, which is `make study` (or Snakemake)."""

import argparse
import json
import sys
from importlib import metadata
from pathlib import Path

from manu.audit import command as audit_command
from manu.commands import completion, listing
from manu.core.errors import UserError, user_message
from manu.jobs.summary import summary
from manu.planning import command as plan_command
from manu.study.loading import load_study, study_path

_EXAMPLES = """examples:
  manu doctor                                          what this machine can run
  manu plan --study paper                              what a study takes, before it runs
  manu audit results/mini/tables/main_llava.csv --row "method=manu forget_ratio=10" --column forget_classification
  manu check method my_method.py                       whether a method of your own keeps its contract"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return 0, 1 when an audit fails, or 2 with one line when the user has something to mend."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.command is None:
        parser.print_help(sys.stderr)
        return 2
    try:
        text, code = given.run(given)
    except Exception as error:
        message = user_message(error)
        if message is None:
            raise
        sys.stderr.write(f"error: {message}\n")
        return 2
    sys.stdout.write(f"{text}\n")
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="manu",
        description="Everything about a study but running it, which is `make study STUDY=<name>`.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"manu {metadata.version('manu')}")
    commands = parser.add_subparsers(dest="command", title="commands", metavar="COMMAND")

    def add(name: str, run, text: str, **settings) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.", **settings)
        command.set_defaults(run=run)
        return command

    def add_with_study(name: str, run, text: str) -> argparse.ArgumentParser:
        command = add(name, run, text)
        command.add_argument("--study", default="mini", help="name in config/studies/, or a file (default: mini)")
        return command

    for name, (_, text) in listing.LISTED.items():
        add(name, _list, text).add_argument("--json", action="store_true", help="the list as JSON")
    add("doctor", _doctor, "say what this machine can run, and why not")
    check = add_with_study("check", _check, "check a study's configuration, or a method or model against its contract")
    check.add_argument(
        "what", nargs="?", choices=["method", "model"], help="what FILE defines; without it, a study is checked"
    )
    check.add_argument("file", nargs="?", metavar="FILE", help="such as my_method.py; or a known name")
    check.add_argument("--settings", default="{}", help="of the method, in place of its defaults: '{beta: 0.4}'")
    plan = add_with_study("plan", plan_command.plan, "estimate what a study takes, before anything is spent")
    plan_command.add_arguments(plan)
    add_with_study("summary", _summary, "show the main tables of a finished study and where everything is")
    examples = """examples:
  manu audit --all
  manu audit results/mini/tables/main_llava.csv --row "method=manu forget_ratio=10" --column forget_classification
  manu audit figures/mini/tradeoff.svg
  manu audit README.md
  manu audit results/mini/tables/main_llava.csv --row "npo 10" --column forget_classification --reask 20
  manu audit --diff mini ../another/results/mini"""
    audit = add(
        "audit",
        audit_command.audit,
        "follow a number back to its answers, code and data; or check the whole study",
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    audit_command.add_arguments(audit)
    add_with_study("snapshot", _snapshot, "put a finished study's tables and figures into reference/")
    add_with_study("readme", _readme, "take a finished study's snapshot, and put its numbers into README.md")
    release = add_with_study("release", _release, "write one archive without checkpoints that can be audited by itself")
    release.add_argument("--out", type=Path, help="the archive to write (default: release/manu-<study>.tar.gz)")
    shell = add("completion", lambda given: (completion.script(given.shell, parser), 0), "print completion for a shell")
    shell.add_argument("shell", choices=completion.SHELLS, help='bash, say: eval "$(manu completion bash)"')
    return parser


def _list(given: argparse.Namespace) -> tuple[str, int]:
    items = listing.LISTED[given.command][0]()
    return (json.dumps(items, indent=1, ensure_ascii=False) if given.json else listing.as_text(items)), 0


def _doctor(given: argparse.Namespace) -> tuple[str, int]:
    from manu.commands import doctor

    findings = doctor.diagnose()
    stopped = any(finding.stops and finding.good is False for finding in findings)
    return doctor.as_text(findings), int(stopped)


def _check(given: argparse.Namespace) -> tuple[str, int]:
    if given.what:
        from manu.contract import command as contract_command

        if not given.file:
            raise UserError(
                f"check {given.what}: which one? needed: a file, such as my_{given.what}.py, or a known name"
            )
        return contract_command.check(given)
    study = load_study(given.study)
    if "harness" in study:
        from manu.evaluation.harness import require_harness

        require_harness()
    models = len(study["models"]) * len(study["seeds"])
    besides = {
        "variants of the ablation": len(study["ablation"]["variants"]) * models,
        "randomly pruned models": len(study["capacity"]["prune_ratios"]) * models,
    }
    text = (
        f"{study_path(given.study)} is valid: {', '.join(study['models'])}; {', '.join(study['methods'])}; "
        f"forget {', '.join(map(str, study['forget_ratios']))} percent; "
        f"{models * len(study['forget_ratios']) * len(study['methods'])} unlearned models"
        f"{''.join(f', {count} {what}' for what, count in besides.items() if count)}"
    )
    return text, 0


def _summary(given: argparse.Namespace) -> tuple[str, int]:
    return summary(load_study(given.study)), 0


def _snapshot(given: argparse.Namespace) -> tuple[str, int]:
    from manu.audit.reference import snapshot

    return snapshot(load_study(given.study)), 0


def _readme(given: argparse.Namespace) -> tuple[str, int]:
    from manu.audit.reference import publish

    return publish(load_study(given.study)), 0


def _release(given: argparse.Namespace) -> tuple[str, int]:
    from manu.audit.bundle import write_bundle

    name = load_study(given.study)["name"]
    out = given.out or Path(f"release/manu-{name}.tar.gz")
    count, left_out = write_bundle(name, out)
    size = out.stat().st_size / 2**20
    return f"{out}: {count} files, {size:.1f} MiB; left out: {len(left_out)} files of checkpoints", 0


if __name__ == "__main__":
    sys.exit(main())

"""The command `manu`: everything about a study except running it, which is `make study` (or Snakemake).

A command imports what it needs when it runs, so that help and completion start fast.
"""

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer._click.exceptions import UsageError  # typer has no public name for it

from manu.core.cache import ensure_cache
from manu.core.errors import UserError, user_message
from manu.planning.devices import known_devices

if TYPE_CHECKING:  # reading a study imports much
    from manu.study.model import Study as StudyModel

NUMBER = 'results/mini/tables/main_llava.csv --row "method=manu forget_ratio=10" --column forget_classification'
EXAMPLES = f"""Examples:
  manu doctor
  manu plan --study paper
  manu audit {NUMBER}
  manu check method my_method.py"""
AUDIT_EXAMPLES = f"""Examples:
  manu audit --all --reask 100
  manu audit {NUMBER}
  manu audit figures/mini/tradeoff.svg
  manu audit README.md
  manu audit results/mini/tables/main_llava.csv --row "npo 10" --column forget_classification --reask all
  manu audit --retrain llava/seed0/forget10/ga
  manu audit --reference
  manu audit --diff mini ../another/results/mini"""

app = typer.Typer(
    name="manu",
    epilog=EXAMPLES,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def studies_here() -> list[str]:
    """The names in config/studies/, for completion."""
    return sorted(file.stem for file in Path("config/studies").glob("*.yaml"))


Study = Annotated[
    str, typer.Option(help="A name in config/studies/, or a file.", metavar="STUDY", autocompletion=studies_here)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return 0, 1 when an audit fails, or 2 after one line about a mistake of the user."""
    ensure_cache()
    try:
        return app(arguments, prog_name="manu", standalone_mode=False) or 0
    except UsageError as error:
        command = error.ctx.command_path if error.ctx else "manu"
        message: str | None = f"{error.format_message()} ({command} --help shows what there is)"
    except Exception as error:
        message = user_message(error)
        if message is None:
            raise
    sys.stderr.write(f"error: {message}\n")
    return 2


def say(text: str, code: int = 0) -> int:
    """Print the answer of a command and return its exit code."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
    return code


def show_version(wanted: bool) -> None:
    """Print the version and stop."""
    if wanted:
        from importlib import metadata

        raise typer.Exit(say(f"manu {metadata.version('manu')}"))


@app.callback(invoke_without_command=True)
def no_command(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=show_version, is_eager=True)
    ] = False,
) -> int:
    """Everything about a study except running it, which is `make study STUDY=<name>`."""
    if context.invoked_subcommand is None:
        with redirect_stdout(sys.stderr):
            sys.stdout.write(context.get_help())  # typer's own rendering prints, and returns nothing
        return 2
    return 0


def show_list(items: list[dict[str, Any]], as_json: bool) -> int:
    """Print what manu.commands.listing found."""
    from manu.commands.listing import as_text

    return say(json.dumps(items, indent=1, ensure_ascii=False) if as_json else as_text(items))


@app.command()
def studies(as_json: AsJson = False) -> int:
    """List the studies, and what each runs."""
    from manu.commands import listing

    return show_list(listing.studies(), as_json)


@app.command()
def models(as_json: AsJson = False) -> int:
    """List the models."""
    from manu.commands import listing

    return show_list(listing.models(), as_json)


@app.command()
def methods(as_json: AsJson = False) -> int:
    """List the unlearning methods and their settings."""
    from manu.commands import listing

    return show_list(listing.methods(), as_json)


@app.command()
def figures(as_json: AsJson = False) -> int:
    """List the figures that a study can have."""
    from manu.commands import listing

    return show_list(listing.figures(), as_json)


@app.command()
def doctor() -> int:
    """Say what this machine can run, and why not."""
    from manu.commands import doctor

    findings = doctor.diagnose()
    stopped = any(finding.stops and finding.good is False for finding in findings)
    return say(doctor.as_text(findings), int(stopped))


@app.command()
def check(
    what: Annotated[
        Literal["method", "model"] | None, typer.Argument(help="What FILE defines; without it, a study is checked.")
    ] = None,
    file: Annotated[str | None, typer.Argument(help="A file such as my_method.py, or a known name.")] = None,
    study: Study = "mini",
    settings: Annotated[
        str, typer.Option(metavar="YAML", help="Settings of the method in place of its defaults: '{beta: 0.4}'.")
    ] = "{}",
) -> int:
    """Check a study's configuration, or a method or model against its contract."""
    if what is None:
        from manu.commands.check import check_study

        return say(check_study(study))
    from manu.contract.command import check

    if not file:
        raise UserError(f"check {what}: which one? needed: a file, such as my_{what}.py, or a known name")
    return check(what, file, settings, say)


@app.command()
def plan(
    study: Study = "mini",
    device: Annotated[
        str | None,
        typer.Option(
            help=f"{', '.join(known_devices())}; by default h100 for models that are fetched, else one core: cpu.",
            autocompletion=known_devices,
        ),
    ] = None,
    target: Annotated[str, typer.Option(help="all, or robustness: its attacks as well.")] = "all",
    partition: Annotated[
        str | None, typer.Option(metavar="NAME", help="Check the Slurm profile, and this partition by sinfo.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Compare with what a finished study's jobs took.")] = False,
    as_json: AsJson = False,
) -> int:
    """Estimate what a study takes, before anything is spent."""
    from manu.planning.command import plan

    return say(plan(study, device, target, partition, check, as_json))


@app.command()
def summary(study: Study = "mini") -> int:
    """Show the main tables of a finished study and where everything is."""
    from manu.jobs.summary import summary

    return say(summary(load(study)))


@app.command(epilog=AUDIT_EXAMPLES)
def audit(
    file: Annotated[str | None, typer.Argument(help="A table, a figure, any other output, or README.md.")] = None,
    row: Annotated[
        str | None, typer.Option(help="Rows of the table by their words, such as 'manu 10' or 'method=manu'.")
    ] = None,
    column: Annotated[str | None, typer.Option(help="One column; with --row, the whole story of each number.")] = None,
    whole: Annotated[bool, typer.Option("--all", help="Audit the whole study.")] = False,
    retrain: Annotated[
        str | None, typer.Option(metavar="CELL", help="Train one cell again and compare: llava/seed0/forget10/ga.")
    ] = None,
    reference: Annotated[bool, typer.Option("--reference", help="Check the snapshots in git.")] = False,
    diff: Annotated[tuple[str, str] | None, typer.Option(metavar="A B", help="Compare two finished studies.")] = None,
    reask: Annotated[
        str | None,
        typer.Option(metavar="N|all", help="Load the models; they give N answers of each file again, or all."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="S", help="Draw the same questions for --reask; by default others each time.")
    ] = None,
    study: Study = "mini",
    as_json: AsJson = False,
) -> int:
    """Follow a number back to its answers, code and data; or check the whole study."""
    from manu.audit.command import Request, audit

    return say(*audit(Request(file, row, column, whole, retrain, reference, diff, reask, seed, study, as_json)))


@app.command()
def agree(
    study: Study = "mini",
    released: Annotated[
        Path | None,
        typer.Option("--with", metavar="FOLDER", help="Another run; by default results/reference/STUDY."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 where anything differs beyond the seeds.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Set a finished run beside the released results of the same study."""
    from manu.commands.agree import agree

    return say(*agree(load(study), released, strict, as_json))


@app.command()
def snapshot(study: Study = "mini") -> int:
    """Put a finished study's tables and figures into reference/."""
    from manu.audit.reference import snapshot

    return say(snapshot(study))


@app.command()
def readme(study: Study = "mini") -> int:
    """Take a finished study's snapshot, and put its numbers into README.md."""
    from manu.audit.reference import publish

    return say(publish(study))


@app.command()
def release(
    study: Study = "mini",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The archive to write; by default release/manu-STUDY.tar.gz.")
    ] = None,
) -> int:
    """Write one archive without checkpoints that can be audited by itself."""
    from manu.audit.bundle import write_bundle

    name = load(study).name
    out = out or Path(f"release/manu-{name}.tar.gz")
    count, left_out = write_bundle(study, out)
    size = out.stat().st_size / 2**20
    return say(f"{out}: {count} files, {size:.1f} MiB; left out: {len(left_out)} files of checkpoints")


@app.command()
def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(help='In bash: eval "$(manu completion bash)"')],
) -> int:
    """Print the completion script of a shell."""
    from typer.completion import get_completion_script

    return say(get_completion_script(prog_name="manu", complete_var="_MANU_COMPLETE", shell=shell))


def load(study: str) -> "StudyModel":
    """A study by its name or file. Raises UserError."""
    from manu.study.loading import read_study

    return read_study(study)


if __name__ == "__main__":
    sys.exit(main())

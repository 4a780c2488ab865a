"""The command `manu`: check a study's configuration, show what a study has produced."""

import argparse
import sys

from manu.config import load_study, study_path
from manu.errors import UserError
from manu.summary import summary


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return 0, or 2 with one line on standard error when the user has something to mend."""
    parser = argparse.ArgumentParser(prog="manu", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("check", "check a study's configuration; nothing is run"),
        ("summary", "show the main tables of a finished study and where everything is"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--study", default="mini", help="name in config/studies/, or a file (default: mini)")
    given = parser.parse_args(arguments)
    try:
        study = load_study(given.study)
        text = _checked(study, given.study) if given.command == "check" else summary(study)
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write(f"{text}\n")
    return 0


def _checked(study: dict, given: str) -> str:
    cells = len(study["models"]) * len(study["seeds"]) * len(study["forget_ratios"]) * len(study["methods"])
    return (
        f"{study_path(given)} is valid: {', '.join(study['models'])}; {', '.join(study['methods'])}; "
        f"forget {', '.join(map(str, study['forget_ratios']))} percent; {cells} unlearned models"
    )


if __name__ == "__main__":
    sys.exit(main())

"""The part of the README that a study fills: the text between two markers (manu.analysis.tables.readme)."""

from manu.core.errors import UserError

BEGIN = "<!-- results: filled by `make readme`, checked by `make audit` -->"
END = "<!-- end of results -->"


def fill(readme: str, filled: str) -> str:
    """The README's text with `filled` between its markers. Raises UserError when they are not there once each."""
    before, _, after = parts(readme)
    return f"{before}{filled}{after}"


def parts(readme: str) -> tuple[str, str, str]:
    """The README's text before, between and after the lines of its markers."""
    pieces = readme.split(BEGIN)
    ends = pieces[-1].split(END)
    if len(pieces) != 2 or len(ends) != 2:
        raise UserError(f"README.md: the generated block needs each of these lines once: {BEGIN} and {END}")
    inside = ends[0].removeprefix("\n")
    return f"{pieces[0]}{BEGIN}\n", inside, f"{END}{ends[1]}"

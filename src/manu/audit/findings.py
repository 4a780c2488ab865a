"""The findings of an audit, and counts of what it checked."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

_PLACE = re.compile(r", | \(")  # what follows the file in the place of a finding
SHOWN = 5  # findings shown of one file, and files that follow from it; the rest are counted


@dataclass(frozen=True)
class Finding:
    """One mistake. where: a file, and the place in it; what: the mistake in words. computed: found by computing the
    file again from its inputs, so that it may follow from a mistake in one of them."""

    where: str
    what: str
    computed: bool = False

    @property
    def file(self) -> str:
        """The file alone."""
        return _PLACE.split(self.where, maxsplit=1)[0]

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass
class Report:
    """The outcome of an audit: failures, notes (which are no failures), and counts of what was checked."""

    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    counts: Counter = field(default_factory=Counter)
    fingerprint: str = ""
    _known: set[Finding] = field(default_factory=set, repr=False)

    def fail(self, where: object, what: str, computed: bool = False) -> None:
        """Add a failure. The same failure counts once."""
        finding = Finding(str(where), what, computed)
        if finding not in self._known:
            self._known.add(finding)
            self.findings.append(finding)


@dataclass(frozen=True)
class Cause:
    """A file with mistakes, and the files whose mistakes follow from them."""

    findings: list[Finding]
    follow: list[str]


def causes(findings: Iterable[Finding], behind: Callable[[str], Collection[str]]) -> list[Cause]:
    """The findings by file. Files whose mistakes follow from another's are put under it.

    behind: the files that a file was made from, directly or not. Only a mistake that was found by computing a file
    again can follow from another; a checksum that is not the record's cannot.
    """
    by_file: dict[str, list[Finding]] = {}
    for finding in findings:
        by_file.setdefault(finding.file, []).append(finding)
    first: dict[str, str] = {}  # a file that follows -> the file that it follows from
    for file, found in by_file.items():
        if all(finding.computed for finding in found):
            before = [other for other in by_file if other != file and other in behind(file)]
            roots = [other for other in before if not any(each in behind(other) for each in before)]
            if roots:
                first[file] = roots[0]
    follow = {file: [each for each, cause in first.items() if cause == file] for file in by_file}
    return [Cause(found, follow[file]) for file, found in by_file.items() if file not in first]


def lines_of(found: Iterable[Cause]) -> list[str]:
    """Every cause, and below it in short what follows from it. The same mistake in several files is told once."""
    lines, same = [], dict[tuple[str, ...], list[Cause]]()
    for cause in found:
        same.setdefault(tuple(finding.what for finding in cause.findings), []).append(cause)
    for alike in same.values():
        findings, follow = alike[0].findings, list(dict.fromkeys(file for cause in alike for file in cause.follow))
        lines += [f"✗ {finding}" for finding in findings[:SHOWN]]
        if len(findings) > SHOWN:
            lines.append(f"  and {len(findings) - SHOWN} more findings in {findings[0].file}")
        if len(alike) > 1:
            lines.append(f"  and the same in {_listed([cause.findings[0].file for cause in alike[1:]])}")
        if follow:
            lines.append(f"  and what follows from it, in {_listed(follow)}")
    return lines


def _listed(files: Sequence[str]) -> str:
    more = f" and {len(files) - SHOWN} more" if len(files) > SHOWN else ""
    return f"{len(files)} file{'s' * (len(files) > 1)}: {', '.join(files[:SHOWN])}{more}"

"""The findings of an audit, and counts of what it checked."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Finding:
    """One mistake. where: a file, and the place in it; what: the mistake in words."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass
class Report:
    """The outcome of an audit: failures, notes (which are no failures), and counts of what was checked."""

    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    counts: Counter = field(default_factory=Counter)
    fingerprint: str = ""

    def fail(self, where: object, what: str) -> None:
        """Add a failure. The same failure counts once."""
        finding = Finding(str(where), what)
        if finding not in self.findings:
            self.findings.append(finding)

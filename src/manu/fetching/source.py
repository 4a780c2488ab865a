"""Where files come from that are not made here: a repository of the model hub at one commit, or a local folder."""

import re
from dataclasses import dataclass

from manu.core.errors import UserError

PIN = "pin"  # a revision: the commit that is recorded at the first download
_REPO = re.compile(r"[\w.-]+/[\w.-]+")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Source:
    """Either `repo` (organisation/name) with its `revision` (a full commit hash, or PIN), or `path`, a local folder.

    Raises UserError on anything else.
    """

    repo: str = ""
    revision: str = ""
    path: str = ""

    def __post_init__(self) -> None:
        if bool(self.repo) == bool(self.path):
            found = "both" if self.repo else "neither"
            raise UserError(f"{found} of 'repo' and 'path' given; needed: one of them")
        if self.path and self.revision:
            raise UserError("a 'path' has no 'revision'; its files are taken as they are")
        if self.repo and not _REPO.fullmatch(self.repo):
            raise UserError(f"'repo' is {self.repo!r}; needed: organisation/name")
        if self.repo and self.revision != PIN and not is_commit(self.revision):
            found = f"is {self.revision!r}" if self.revision else "is missing"
            needed = f"a full commit hash (40 hexadecimal digits), or {PIN}: the one recorded at the first download"
            raise UserError(f"'revision' of {self.repo} {found}; needed: {needed}")

    def __str__(self) -> str:
        return self.repo or self.path


def is_commit(revision: str) -> bool:
    """Whether a revision is a full commit hash."""
    return bool(_COMMIT.fullmatch(revision))

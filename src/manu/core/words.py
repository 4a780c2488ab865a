"""Words that the whole package shares, and a suggestion for a misspelled one."""

import difflib
from collections.abc import Iterable

MULTIMODAL, TEXT = "multimodal", "text"
MODALITIES = (MULTIMODAL, TEXT)  # a question with the picture, and the same question in plain text
FORGET, RETAIN = "forget", "retain"
SETS = (FORGET, RETAIN)


def hint(given: str, known: Iterable[str], listed: str = "known") -> str:
    """`; did you mean 'splits'? known: forget, splits, ...`: the closest known word if one is close, and all of them.

    listed: the word before the list.
    """
    known = list(known)
    close = difflib.get_close_matches(given, known, n=1)
    guess = f"; did you mean '{close[0]}'?" if close else ";"
    return f"{guess} {listed}: {', '.join(known)}"

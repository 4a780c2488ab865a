"""Numbers for people: two significant digits and a unit."""

from math import floor, log10


def two_digits(value: float) -> str:
    """`0`, `0.037`, `3.7`, `37`, `370`, `3,700`."""
    if not value:
        return "0"
    places = 1 - floor(log10(abs(value)))
    rounded = round(value, places)
    places = 1 - floor(log10(abs(rounded)))  # 9.96 became 10
    return f"{rounded:,.{max(places, 0)}f}"


def number(value: float) -> str:
    """`7.1 billion`, `900 thousand`."""
    for word, factor in (("billion", 1e9), ("million", 1e6), ("thousand", 1e3)):
        if value >= 0.995 * factor:
            return f"{two_digits(value / factor)} {word}"
    return two_digits(value)


def amount(size: float) -> str:
    """Bytes, in decimal units: `14 GB`."""
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= 0.995 * factor:
            return f"{two_digits(size / factor)} {unit}"
    return f"{two_digits(size)} B"


def hours(seconds: float) -> str:
    """`4.0 s`, `12 min`, `3.1 h`."""
    if seconds < 99.5:
        return f"{two_digits(seconds)} s"
    if seconds < 99.5 * 60:
        return f"{two_digits(seconds / 60)} min"
    return f"{two_digits(seconds / 3600)} h"

"""Which of several choices are not beaten by another one: the Pareto front."""

from collections.abc import Sequence


def on_front(costs: Sequence[float], gains: Sequence[float]) -> list[bool]:
    """Whether each choice is on the front: no other costs at most as much and gains at least as much, one strictly.

    costs, gains: [choices], none NaN; lower costs and higher gains are better. Choices that are alike in both
    do not beat each other.
    """
    points = list(zip(costs, gains, strict=True))
    return [
        not any(other != (cost, gain) and other[0] <= cost and other[1] >= gain for other in points)
        for cost, gain in points
    ]

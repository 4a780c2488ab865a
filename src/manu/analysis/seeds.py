"""Several seeds of one cell: their mean and their spread, kept apart from the interval within a seed.

The interval of a value is over people, with the models as they are; what another seed of training would have given
is the spread over seeds. Neither contains the other, so a table has both, each in columns of its own.
"""

from collections.abc import Mapping, Sequence

import pandas as pd

from manu.analysis.cells import in_percent, sort_rows

ENDS = ("ci_low", "ci_high")


def over_seeds(frame: pd.DataFrame, value: str = "value", keys: Sequence[str] | None = None) -> pd.DataFrame:
    """One row per cell, in the order in which the cells first stand in `frame`, whose rows are one seed's each.

    keys: the columns that tell a cell; without them all but `seed`, `value`, `n` and the interval's ends.
    Columns: the keys; <value>, its mean over seeds; <value>_sd, the sample standard deviation (n - 1), NaN of one
    seed; <value>_lowest and <value>_highest of a seed; the mean of each end of the seeds' intervals and the sum of
    `n`, where `frame` has them; seeds, how many there are. A seed without a value counts nowhere.
    """
    ends = [name for name in ENDS if name in frame]
    sums = ["n"] if "n" in frame else []
    if keys is None:
        keys = [name for name in frame if name not in ("seed", value, *sums, *ends)]
    there = frame[value].notna()
    numbers = frame[[value, *ends]].astype("float64")
    counted = frame.assign(
        **numbers,
        **{name: frame[name].where(there, 0).astype("int64") for name in sums},
        seed=frame["seed"].where(there),
    )
    return counted.groupby(list(keys), sort=False, as_index=False, dropna=False).agg(
        **{
            value: (value, "mean"),
            f"{value}_sd": (value, "std"),
            f"{value}_lowest": (value, "min"),
            f"{value}_highest": (value, "max"),
        },
        **{name: (name, "mean") for name in ends},
        **{name: (name, "sum") for name in sums},
        seeds=("seed", "nunique"),
    )


def percent_over_seeds(
    rows: pd.DataFrame,
    value: str,
    columns: Sequence[str],
    keys: Sequence[str],
    order: Mapping[str, Sequence],
    spread: Sequence[str] = (),
) -> pd.DataFrame:
    """`over_seeds` of fractions, in percent: `columns`, and `spread` if there are several seeds.

    keys, order: of the rows, as for `sort_rows`.
    """
    cells = over_seeds(in_percent(rows, (value, *ENDS)), value)
    return sort_rows(cells[[*columns, *(spread if several_seeds(cells) else ())]], keys, order)


def plus_minus(mean: str, sd: str) -> str:
    """`97.9 ± 0.4`: a mean with its standard deviation over seeds as they are printed; the mean alone without one."""
    return f"{mean} \N{PLUS-MINUS SIGN} {sd}" if sd else mean


def several_seeds(cells: pd.DataFrame) -> bool:
    """Whether some cell of `over_seeds` has more than one seed, so that there is a spread to show."""
    return bool((cells["seeds"] > 1).any())

"""Read a benchmark of either format; the configurations in its folder show which format it is."""

from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from manu.core.errors import UserError
from manu.data import clear, mllmu
from manu.data.parquet import has_config
from manu.data.profiles import Profile, TrainingRecord

FORMATS: dict[str, ModuleType] = {"mllmu": mllmu, "clear": clear}


def format_of(folder: Path) -> str:
    """The name of a benchmark's format: a key of FORMATS."""
    return "clear" if has_config(folder, clear.EVERYBODY) else "mllmu"


def splits_of(folder: Path) -> tuple[str, ...]:
    """The splits of a benchmark's format."""
    return _reader(folder).SPLITS


def check_published(folder: Path, ratios: list[int], name: str) -> None:
    """Raise UserError unless a folder holds what a study with these forget ratios reads, in the format of that name."""
    found = format_of(folder)
    if found != name and any(has_config(folder, config) for config in FORMATS[found].published_configs(ratios)):
        raise UserError(f"benchmark {folder} is in the format {found}; the study's 'benchmark.format' says {name}")
    FORMATS[name].check_published(folder, ratios)


def left_out(folder: Path, config: str) -> list[str]:
    """What is wrong with the questions of a set that `read_profiles` leaves out, one line each."""
    return _reader(folder).left_out(folder, config)


def read_profiles(folder: Path, config: str) -> list[Profile]:
    """The people of a set, with their questions. Raises UserError on missing columns or broken rows."""
    return _reader(folder).read_profiles(folder, config)


def read_ids(folder: Path, config: str) -> list[str]:
    """The IDs of the people of a set, in the order of its rows."""
    return _reader(folder).read_ids(folder, config)


def read_names(folder: Path, *configs: str, without: Iterable[str] = ()) -> dict[str, str]:
    """ID -> name of the people in `configs` (in Full_Set if none is given) and in none of `without`."""
    others = _ids_of(folder, without)
    names: dict[str, str] = {}
    for config in configs or ("Full_Set",):
        names |= _reader(folder).read_names(folder, config)
    return {person: name for person, name in names.items() if person not in others}


def read_training_data(folder: Path, config: str = "ft_Data") -> list[TrainingRecord]:
    """Training data (ft_Data, or the built-in benchmark's base_Data)."""
    return _reader(folder).read_training_data(folder, config)


def read_training_data_of(folder: Path, *configs: str, without: Iterable[str] = ()) -> list[TrainingRecord]:
    """The training data of the people in `configs`, such as forget_5, and in none of `without`."""
    ids = _ids_of(folder, configs) - _ids_of(folder, without)
    return [record for record in read_training_data(folder) if record.id in ids]


def _reader(folder: Path) -> ModuleType:
    return FORMATS[format_of(folder)]


def _ids_of(folder: Path, configs: Iterable[str]) -> set[str]:
    return {name for config in configs for name in read_ids(folder, config)}

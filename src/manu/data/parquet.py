"""A benchmark's configurations on disk: a folder of parquet files each, as on the hub.

A benchmark's folder holds its configurations, or the manifest of one that was fetched.
"""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from manu.errors import UserError
from manu.fetching.manifest import located
from manu.files import atomic_path

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
FILE = "train-00000-of-00001.parquet"  # of a configuration that is written here


def config_file(folder: Path, config: str) -> Path:
    """Where the built-in benchmark keeps a configuration."""
    return Path(folder) / config / FILE


def write_config(folder: Path, config: str, rows: list[dict], schema: pa.Schema) -> None:
    """Write one configuration atomically."""
    with atomic_path(config_file(folder, config)) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), temporary)


def has_config(folder: Path, config: str) -> bool:
    """Whether the benchmark has a configuration."""
    return bool(_parquet_files(located(folder), config))


def columns_of(folder: Path, config: str) -> list[str]:
    """The columns of a configuration. Raises UserError when it is missing or cannot be read."""
    return _columns(_files(located(folder), config)[0])


def check_configs(folder: Path, needed: dict[str, Sequence[str]]) -> None:
    """Raise UserError that names every configuration of `needed` that is missing, or the first missing column.

    needed: the columns of each configuration.
    """
    absent = [config for config in needed if not _parquet_files(folder, config)]
    if absent:
        raise UserError(f"benchmark {folder}: no parquet file in {', '.join(absent)}; needed: {', '.join(needed)}")
    for config, columns in needed.items():
        for file in _parquet_files(folder, config):
            _check_columns(file, columns)


def read_rows(folder: Path, config: str, columns: Sequence[str]) -> list[dict]:
    """The rows of a configuration, with these columns. Raises UserError when it, a column or a row is missing."""
    folder = located(folder)
    rows = []
    for file in _files(folder, config):
        _check_columns(file, columns)
        rows += pq.read_table(file, columns=list(columns)).to_pylist()
    if not rows:
        raise UserError(f"benchmark {folder}: {config} holds no rows")
    return rows


def _parquet_files(folder: Path, config: str) -> list[Path]:
    return sorted((Path(folder) / config).glob("*.parquet"))


def _files(folder: Path, config: str) -> list[Path]:
    files = _parquet_files(folder, config)
    if not files:
        raise UserError(f"benchmark {folder}: no parquet file in {config}/; each configuration is a folder of them")
    return files


def _columns(file: Path) -> list[str]:
    try:
        return pq.read_schema(file).names
    except pa.ArrowInvalid as error:
        raise UserError(f"{file}: not a readable parquet file ({str(error).splitlines()[0]})") from error


def _check_columns(file: Path, columns: Sequence[str]) -> None:
    present = _columns(file)
    missing = [column for column in columns if column not in present]
    if missing:
        raise UserError(f"{file}: column {missing[0]!r} is missing; it has {', '.join(present)}")

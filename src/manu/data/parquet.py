"""A benchmark's configurations on disk: one folder of parquet files each, as on the hub.

A benchmark's folder holds its configurations, or the manifest of a fetched benchmark. The readers use pyarrow alone:
`datasets` would fill a missing column with nulls and turn numbers into text where these functions raise UserError, copy
the files into a cache, and add a quarter of a second to the start of every job.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from manu.core.errors import UserError
from manu.core.files import atomic_path
from manu.fetching.manifest import located

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
Columns: TypeAlias = Sequence[str] | pa.Schema  # a schema demands the types of its columns too
_SHARD = re.compile(r"(?P<split>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.parquet")
FILE = "train-00000-of-00001.parquet"  # of a configuration that is written here


def config_file(folder: Path, config: str) -> Path:
    """Where the built-in benchmark keeps a configuration."""
    return Path(folder) / config / FILE


def write_config(folder: Path, config: str, rows: list[dict], schema: pa.Schema) -> None:
    """Write one configuration atomically. `datasets.load_dataset` opens its pictures as pictures."""
    from datasets import Features, Image, List  # slow to import; no reader needs it

    pictures = {IMAGE: Image(), pa.list_(IMAGE): List(Image())}
    features = Features.from_arrow_schema(schema)
    features.update({field.name: pictures[field.type] for field in schema if field.type in pictures})
    with atomic_path(config_file(folder, config)) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=features.arrow_schema), temporary)


def has_config(folder: Path, config: str) -> bool:
    """Whether the benchmark has a configuration."""
    return bool(_parquet_files(located(folder), config))


def columns_of(folder: Path, config: str) -> list[str]:
    """The columns of a configuration. Raises UserError when it is missing or cannot be read."""
    return _schema(_files(located(folder), config)[0]).names


def check_configs(folder: Path, needed: Mapping[str, Columns]) -> None:
    """Raise UserError for missing configurations (all named), or for the first column missing or of a wrong type.

    needed: configuration -> its columns.
    """
    absent = [config for config in needed if not _parquet_files(folder, config)]
    if absent:
        raise UserError(f"benchmark {folder}: no parquet file in {', '.join(absent)}; needed: {', '.join(needed)}")
    for config, columns in needed.items():
        files = _parquet_files(folder, config)
        _check_shards(folder, config, [file.name for file in files])
        for file in files:
            _check_columns(file, columns)


def _check_shards(folder: Path, config: str, names: Sequence[str]) -> None:
    """Raise UserError unless all files of a split are there, where their names say how many there are."""
    found: dict[tuple[str, int], set[int]] = {}
    for name in names:
        if part := _SHARD.fullmatch(name):
            found.setdefault((part["split"], int(part["count"])), set()).add(int(part["number"]))
    for (split, count), numbers in found.items():
        if missing := sorted(set(range(count)) - numbers):
            raise UserError(
                f"benchmark {folder}: {config} lacks {len(missing)} of {count} files, such as "
                f"{split}-{missing[0]:05d}-of-{count:05d}.parquet; needed: all of them"
            )
    if len(found) > 1:
        shown = ", ".join(f"{split} in {count} files" for split, count in sorted(found))
        raise UserError(f"benchmark {folder}: {config} holds several sets of files ({shown}); needed: one")


def read_rows(folder: Path, config: str, columns: Columns) -> list[dict]:
    """The rows of a configuration, with these columns.

    Raises UserError when the configuration or a column is missing, when it has no rows, or when the type of a column is
    not the schema's.
    """
    folder = located(folder)
    rows = []
    for file in _files(folder, config):
        _check_columns(file, columns)
        rows += pq.read_table(file, columns=_names(columns)).to_pylist()
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


def _schema(file: Path) -> pa.Schema:
    try:
        return pq.read_schema(file)
    except pa.ArrowInvalid as error:
        raise UserError(f"{file}: not a readable parquet file ({str(error).splitlines()[0]})") from error


def _check_columns(file: Path, columns: Columns) -> None:
    present = _schema(file)
    missing = [column for column in _names(columns) if column not in present.names]
    if missing:
        raise UserError(f"{file}: column {missing[0]!r} is missing; it has {', '.join(present.names)}")
    for column in columns if isinstance(columns, pa.Schema) else ():
        if not _like(found := present.field(column.name).type, column.type):
            raise UserError(f"{file}: column {column.name!r} holds {found}; needed: {column.type}")


def _names(columns: Columns) -> list[str]:
    return columns.names if isinstance(columns, pa.Schema) else list(columns)


def _like(found: pa.DataType, needed: pa.DataType) -> bool:
    """Whether values of type `found` can be read as `needed`: text and bytes of any width, structs with more fields."""
    if pa.types.is_null(found):  # a column of nothing but nulls
        return True
    if pa.types.is_struct(needed):
        inner = {field.name: field.type for field in found} if pa.types.is_struct(found) else {}
        return all(field.name in inner and _like(inner[field.name], field.type) for field in needed)
    if pa.types.is_list(needed):
        lists = pa.types.is_list(found) or pa.types.is_large_list(found)
        return lists and _like(found.value_type, needed.value_type)
    kinds = (pa.types.is_string, pa.types.is_large_string), (pa.types.is_binary, pa.types.is_large_binary)
    return any(any(kind(needed) for kind in each) and any(kind(found) for kind in each) for each in kinds)

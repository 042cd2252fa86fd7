"""Configurations from YAML or plain values and back; unknown keys and wrong types are refused.

A file holds one experiment's differences from the defaults, or from the file that it names under
`extends`. The resolved values are saved with every run.
"""

from __future__ import annotations

import ast
import dataclasses
import re
import types
import typing
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

import yaml

from mravff_core.config.python_files import read_python
from mravff_core.config.settings import BaseConfig, FusionConfig, Recipe
from mravff_core.config.weight_sizes import beyond_memory
from mravff_core.errors import ConfigError, first_line

if typing.TYPE_CHECKING:
    from _typeshed import DataclassInstance

Config = TypeVar("Config", bound="DataclassInstance")
# YAML takes 1e-4, without a dot, for text.
_EXPONENT = re.compile(r"[-+]?\d+e[-+]?\d+", re.IGNORECASE)


class _PlainLoader(yaml.SafeLoader):
    """Plain values alone, as `yaml.safe_load`, and Python's tuples as `yaml.dump` writes them."""


def _listed(loader: yaml.SafeLoader, node: yaml.SequenceNode) -> list[Any]:
    return loader.construct_sequence(node, deep=True)


_PlainLoader.add_constructor("tag:yaml.org,2002:python/tuple", _listed)


def from_mapping(cls: type[Config], raw: Any, where: str) -> Config:
    """Build a configuration dataclass from plain YAML or JSON values.

    Args:
        cls: a dataclass of plain fields, or of others of the kind.
        raw: mapping of field names to values; missing fields keep their defaults.
        where: file and section, for messages.
    Raises: ConfigError for an unknown field, a wrong type, a value not allowed, or a detector that no
        memory of this machine could hold.
    """
    if not isinstance(raw, dict):
        raise ConfigError(f"{where}: found {_describe(raw)}, expected a mapping of settings")
    hints = typing.get_type_hints(cls)
    names = [f.name for f in dataclasses.fields(cls)]
    unknown = sorted(str(key) for key in raw.keys() - set(names))
    if unknown:
        likely = ""
        if cls is Recipe and {"dataset", "model"} <= set(unknown):
            likely = "; a configuration of ActionFormer's or TriDet's code? Recipes of ours lie in configs/"
        raise ConfigError(
            f"{where}: {cls.__name__} has no field {', '.join(unknown)}; it has {', '.join(names)}{likely}"
        )
    values = {name: _coerce(hints[name], value, f"{where}.{name}") for name, value in raw.items()}
    config = cls(**values)
    _check_memory(config, where)
    return config


def to_mapping(config: Any) -> dict[str, Any]:
    """Plain values that `from_mapping` reads back to an equal configuration."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value

    return plain(dataclasses.asdict(config))


def read_yaml(path: Path | str) -> dict[str, Any]:
    """Read a YAML mapping and merge it over the file it `extends`, nearest first.

    A file of OpenTAD's, whose name ends in `.py`, is read as one, and not run.

    Raises: ConfigError if a file is missing, is not YAML, is not a mapping or extends itself.
    """
    return _read_yaml_chain(Path(path), ())


def read_recipe(path: Path | str) -> Recipe:
    """Read a recipe file. Raises: ConfigError, naming the file and the field."""
    return from_mapping(Recipe, read_yaml(path), str(path))


def merge(lower: dict[str, Any], upper: dict[str, Any]) -> dict[str, Any]:
    """`upper` over `lower`: nested mappings merge, everything else is replaced."""
    merged = dict(lower)
    for key, value in upper.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return merged


def _check_memory(config: Any, where: str) -> None:
    """Refuse a base, or what holds one beside its fusion, that is too large. Raises: ConfigError."""
    base = config if isinstance(config, BaseConfig) else getattr(config, "base", None)
    if not isinstance(base, BaseConfig):
        return
    sizes = {"blocks": base.blocks, "sgp_hidden": base.sgp_hidden, **vars(base)}
    fusion = getattr(config, "fusion", None)
    if isinstance(fusion, FusionConfig) and fusion.kind != "none":
        sizes |= {f"fusion.{name}": value for name, value in vars(fusion).items()}
    if problem := beyond_memory(sizes):
        raise ConfigError(f"{where}: {problem}")


def _read_yaml_chain(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    path = path.resolve()
    if path in seen:
        raise ConfigError(f"{path}: extends itself through {' -> '.join(str(p) for p in seen)}")
    if path.suffix == ".py":
        return read_python(path, lambda base: _read_yaml_chain(base, (*seen, path)))
    try:
        raw = _parsed(path.read_text(encoding="utf-8"), path.suffix)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; expected a YAML configuration") from None
    except (yaml.YAMLError, ValueError, OSError, RecursionError) as error:
        raise ConfigError(f"{path}: not readable as YAML ({first_line(error)})") from error
    if raw is None:
        raw = {}
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: found {_describe(raw)}, expected a mapping of settings")
    parent = raw.pop("extends", None)
    if parent is None:
        return raw
    if not isinstance(parent, str):
        raise ConfigError(f"{path}: extends is {_describe(parent)}, expected a file name")
    return merge(_read_yaml_chain(path.parent / parent, (*seen, path)), raw)


def _parsed(text: str, suffix: str) -> Any:
    """What YAML says, or the plain Python values that published code prints into a `config.txt` beside a checkpoint."""
    if suffix == ".txt":
        with suppress(SyntaxError, ValueError, MemoryError, RecursionError):
            return ast.literal_eval(text)
    return yaml.load(text, _PlainLoader)


def _coerce(hint: Any, value: Any, where: str) -> Any:
    origin = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        (hint,) = [a for a in arguments if a is not type(None)]
        return _coerce(hint, value, where)
    if origin is Literal:
        if value not in arguments or isinstance(value, bool):
            raise ConfigError(f"{where}: found {_describe(value)}, expected one of {', '.join(map(str, arguments))}")
        return value
    if origin is tuple:
        return _coerce_items(arguments, value, where)
    if origin is dict:
        return _coerce(dict, value, where)
    if dataclasses.is_dataclass(hint):
        return from_mapping(typing.cast(type, hint), value, where)
    return _coerce_plain(hint, value, where)


def _coerce_items(hints: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    """A tuple of as many values as hints, or of any number where the second hint is `...`."""
    if not isinstance(value, (list, tuple)):
        raise ConfigError(f"{where}: found {_describe(value)}, expected a list")
    if hints[-1] is Ellipsis:
        hints = hints[:1] * len(value)
    if len(value) != len(hints):
        raise ConfigError(f"{where}: found {len(value)} values, expected {len(hints)}")
    return tuple(_coerce(hint, item, f"{where}[{i}]") for i, (hint, item) in enumerate(zip(hints, value, strict=True)))


def _coerce_plain(hint: Any, value: Any, where: str) -> Any:
    """A number, a truth value, text or anything."""
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if hint is float and (is_whole or (isinstance(value, str) and _EXPONENT.fullmatch(value))):
        with suppress(OverflowError):
            return float(value)
    is_bool_for_number = isinstance(value, bool) and hint is not bool
    if hint is Any or (isinstance(hint, type) and isinstance(value, hint) and not is_bool_for_number):
        return value
    raise ConfigError(f"{where}: found {_describe(value)}, expected {getattr(hint, '__name__', hint)}")


def _describe(value: Any) -> str:
    return f"{type(value).__name__} {value!r}"[:80]

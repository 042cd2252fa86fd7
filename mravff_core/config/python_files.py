"""Configurations written as Python assignments, as OpenTAD's are: read as text, never run.

    _base_ = ["../_base_/models/actionformer.py"]
    model = dict(projection=dict(in_channels=2304, norm_cfg=dict(_delete_=True, type="LN")))

A file holds differences from those that `_base_` lists. A mapping with `_delete_` replaces the one
below it rather than adding to it.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mravff_core.errors import ConfigError, first_line

# Characters and values that one name may stand for, and the largest whole number: names that stand for
# others many times over would else fill the memory.
_MOST = 1_000_000
_LARGEST = 10**15
_SIGNS: Mapping[type[ast.unaryop], Callable[[Any], Any]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
_SUMS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
}


def read_python(path: Path, read_base: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """What a file's assignments say over those of its bases.

    Args:
        read_base: reads a file that `_base_` names, relative to this one.
    Raises: ConfigError for anything but assignments of plain values.
    """
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; expected a configuration") from None
    except (SyntaxError, ValueError, MemoryError, RecursionError, OSError) as error:
        raise ConfigError(f"{path}: not readable as a configuration in Python ({first_line(error)})") from error
    names: dict[str, Any] = {}
    for statement in tree.body:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue  # a text in place of a comment
        if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
            raise _refusal(path, statement)
        target = statement.targets[0]
        if not isinstance(target, ast.Name):
            raise _refusal(path, statement)
        try:
            names[target.id] = _value(statement.value, names, path)
        except RecursionError:
            raise ConfigError(f"{path}: line {statement.lineno}: {target.id} is nested too deeply to be read") from None
        if _is_beyond(names[target.id], _MOST):
            raise ConfigError(f"{path}: line {statement.lineno}: {target.id} is larger than any configuration")
    bases = names.pop("_base_", [])
    bases = [bases] if isinstance(bases, str) else bases
    if not isinstance(bases, list) or not all(isinstance(base, str) for base in bases):
        raise ConfigError(f"{path}: _base_ is {bases!r}, expected names of files")
    below: dict[str, Any] = {}
    for base in bases:
        below = _over(below, read_base(path.parent / base), path)
    return _over(below, names, path)


def _value(node: ast.expr, names: Mapping[str, Any], path: Path) -> Any:
    """What an expression of plain values stands for. Raises: ConfigError."""
    if isinstance(node, ast.Constant) and isinstance(node.value, (str, int, float, bool, type(None))):
        return node.value
    if isinstance(node, ast.Name) and node.id in names:
        return names[node.id]
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_value(item, names, path) for item in node.elts]
    if isinstance(node, ast.Dict):
        keys = [None if key is None else _value(key, names, path) for key in node.keys]
        if all(isinstance(key, str) for key in keys):
            return {key: _value(item, names, path) for key, item in zip(keys, node.values, strict=True)}
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict" and not node.args:
        given = {word.arg: word.value for word in node.keywords}
        if None not in given:
            return {key: _value(item, names, path) for key, item in given.items()}
    if isinstance(node, (ast.UnaryOp, ast.BinOp)):
        return _number(node, names, path)
    raise _refusal(path, node)


def _number(node: ast.UnaryOp | ast.BinOp, names: Mapping[str, Any], path: Path) -> Any:
    """A signed number, a sum of two, or two texts in a row. Raises: ConfigError."""
    if isinstance(node, ast.UnaryOp):
        value = _value(node.operand, names, path)
        if type(node.op) in _SIGNS and isinstance(value, (int, float)):
            return _SIGNS[type(node.op)](value)
        raise _refusal(path, node)
    left, right = _value(node.left, names, path), _value(node.right, names, path)
    are_numbers = isinstance(left, (int, float)) and isinstance(right, (int, float))
    are_texts = isinstance(node.op, ast.Add) and isinstance(left, str) and isinstance(right, str)
    if type(node.op) not in _SUMS or not (are_numbers or are_texts):
        raise _refusal(path, node)
    try:
        result = _SUMS[type(node.op)](left, right)
    except ArithmeticError as error:
        raise ConfigError(f"{path}: line {node.lineno}: {first_line(error)}") from error
    if isinstance(result, int) and abs(result) > _LARGEST:
        raise ConfigError(f"{path}: line {node.lineno}: gives a number beyond {_LARGEST:,}")
    return result


def _is_beyond(value: Any, most: int) -> bool:
    """Whether a value, and all that stands in it, is larger than so many characters and values."""
    waiting = [value]
    while waiting and most >= 0:
        item = waiting.pop()
        most -= 1 + len(item) if isinstance(item, (str, list, dict)) else 1
        if isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, dict):
            waiting.extend(item.values())
    return most < 0


def _over(lower: dict[str, Any], upper: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """`upper` over `lower`: mappings merge unless told to replace. Raises: ConfigError where one meets another kind."""
    merged = dict(lower)
    for key, value in upper.items():
        if not isinstance(value, dict):
            merged[key] = value
            continue
        below = {} if value.get("_delete_", False) else merged.get(key)
        if below is not None and not isinstance(below, dict):
            raise ConfigError(
                f"{path}: {key} is a mapping where the file below has {below!r}; replace it by _delete_=True"
            )
        own = {name: item for name, item in value.items() if name != "_delete_"}
        merged[key] = _over(below or {}, own, path)
    return merged


def _refusal(path: Path, node: ast.stmt | ast.expr) -> ConfigError:
    text = ast.unparse(node).splitlines()[0][:60]
    return ConfigError(
        f"{path}: line {node.lineno}: {text} would have to be run, which is not done; expected assignments of plain "
        "values: dict(...), lists, numbers and texts"
    )

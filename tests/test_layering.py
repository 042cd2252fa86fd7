"""Imports point one way: each room may use its own floor's lower neighbours, never a higher one."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS = [
    {"errors", "files", "time_grid", "segments", "audio_condition", "config", "freed_memory", "compiled"},
    {"model", "data", "media", "evaluation", "kitchen"},
    {"workspace", "inference", "training"},
    {"analysis", "plots"},
    {"report"},
    {"cli"},
    {"__main__"},
]
ALLOWED_SIDEWAYS = {("inference", "workspace"), ("training", "workspace"), ("plots", "analysis")}
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
MODULES = sorted((ROOT / "mravff_core").rglob("*.py"))


def room_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "mravff_core" and len(parts) > 1 else None


def imports_of(path: Path) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.append(node.module or "")
            if node.module == "mravff_core":
                names += [f"mravff_core.{alias.name}" for alias in node.names if alias.name in FLOOR_OF]
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_import_points_upwards(path: Path) -> None:
    own = path.relative_to(ROOT / "mravff_core").parts[0].removesuffix(".py")
    if own == "__init__":
        return
    assert own in FLOOR_OF, f"{own} stands on no floor; add it to FLOORS"
    for name in imports_of(path):
        assert name.split(".")[0] not in {"app", "streamlit"}, f"{path} imports {name}"
        room = room_of(name)
        if room is None or room == own:
            continue
        below = FLOOR_OF[room] < FLOOR_OF[own]
        same_ground = FLOOR_OF[room] == FLOOR_OF[own] == 0 or {room, own} <= FLOORS[1]
        assert below or same_ground or (own, room) in ALLOWED_SIDEWAYS, f"{own} imports {room}, which is not below it"


def test_the_rooms_of_one_floor_form_no_circle() -> None:
    arrows: dict[str, set[str]] = {}
    for path in MODULES:
        own = path.relative_to(ROOT / "mravff_core").parts[0].removesuffix(".py")
        rooms = {room for room in map(room_of, imports_of(path)) if room and room != own}
        arrows.setdefault(own, set()).update(rooms)
    arrows.pop("__init__", None)

    def walk(room: str, trail: tuple[str, ...]) -> None:
        assert room not in trail, f"circle of imports: {' -> '.join((*trail, room))}"
        for below in arrows.get(room, ()):
            walk(below, (*trail, room))

    for room in arrows:
        walk(room, ())

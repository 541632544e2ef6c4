"""The walls of the house: which room may import which, and what else holds of the whole.

.venv/bin/python -m tests.walls [FOLDER]

A room is a folder, or one of the few modules that stand for themselves. Counted is each import, also one within a
function; not counted are imports for types alone (TYPE_CHECKING) and migrations.
"""

import ast
import sys
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

BASE_DIR: Final = Path(__file__).resolve().parent.parent
PACKAGES: Final = ("engage", "contacts", "messaging", "bench")
TASKS: Final = "messaging.tasks"
MOST_ON_TOP: Final = 10

# What stands at a door, where nothing is decided: it leads to every room of messaging, and no room leads to it.
DOORS: Final = frozenset(f"messaging.{each}" for each in ("urls", "admin", "apps", "tasks", "management"))

# From each room, those it may import from. A new arrow is a decision: add it here, where it shows in the review.
ARROWS: Final[Mapping[str, str]] = {
    "engage": "engage.celery",
    "engage.celery": "engage messaging.bounces messaging.monitoring",
    "contacts": "contacts.blocks engage",
    "contacts.blocks": "contacts engage",
    "messaging.models": "contacts messaging.bounces messaging.sendouts messaging.status",
    "messaging.status": "contacts",
    "bench": (
        "contacts engage engage.local messaging.bounces messaging.delivery messaging.demo "
        "messaging.ledger messaging.models messaging.providers messaging.sendouts messaging.smpp messaging.status "
        "messaging.suppression messaging.tracking"
    ),
    "messaging.bounces": "contacts",
    "messaging.card": (
        "contacts engage messaging.bounces messaging.models messaging.providers messaging.sendouts "
        "messaging.status messaging.suppression messaging.templatetags"
    ),
    "messaging.delivery": (
        "contacts engage messaging.bounces messaging.incoming messaging.ledger messaging.models "
        "messaging.monitoring messaging.providers messaging.sendouts messaging.smpp messaging.status "
        "messaging.suppression messaging.tracking"
    ),
    "messaging.demo": (
        "contacts contacts.blocks engage messaging.delivery messaging.incoming messaging.ledger messaging.models "
        "messaging.sendouts messaging.smpp messaging.status messaging.tracking"
    ),
    "messaging.inbox": (
        "contacts engage messaging.incoming messaging.ledger messaging.models messaging.monitoring "
        "messaging.providers messaging.status messaging.suppression messaging.tracking"
    ),
    "messaging.incoming": "engage messaging.inbox messaging.ledger messaging.providers messaging.tracking",
    "messaging.ledger": "contacts engage messaging.providers messaging.status messaging.tracking",
    "messaging.monitoring": (
        "contacts messaging.delivery messaging.inbox messaging.ledger messaging.models messaging.providers "
        "messaging.sendouts messaging.status messaging.suppression"
    ),
    "messaging.providers": (
        "contacts messaging.bounces messaging.incoming messaging.ledger messaging.smpp messaging.status "
        "messaging.tracking"
    ),
    "messaging.sendouts": (
        "contacts contacts.blocks engage messaging.bounces messaging.card messaging.delivery messaging.ledger "
        "messaging.models messaging.monitoring messaging.providers messaging.smpp messaging.status "
        "messaging.suppression messaging.tracking"
    ),
    "messaging.smpp": (
        "contacts engage messaging.delivery messaging.inbox messaging.incoming messaging.providers messaging.status"
    ),
    "messaging.support": (
        "contacts engage messaging.bounces messaging.card messaging.inbox messaging.models messaging.providers "
        "messaging.smpp messaging.status messaging.templatetags messaging.tracking"
    ),
    "messaging.suppression": (
        "contacts contacts.blocks engage messaging.bounces messaging.ledger messaging.models messaging.providers "
        "messaging.sendouts messaging.status messaging.tracking"
    ),
    "messaging.templatetags": (
        "contacts contacts.blocks messaging.bounces messaging.card messaging.models messaging.monitoring "
        "messaging.providers messaging.sendouts messaging.status messaging.support messaging.suppression"
    ),
    "messaging.tracking": (
        "contacts engage messaging.card messaging.inbox messaging.ledger messaging.models messaging.providers "
        "messaging.sendouts messaging.status"
    ),
}

# Class names that mean two things, and why they may.
TWICE: Final[Mapping[str, str]] = {
    "Command": "Django finds a management command by this name",
    "Post": "bench/posts.py plays the product's part with one of its own",
}


@dataclass(frozen=True, slots=True)
class House:
    """The modules of a tree, with what each imports, and the classes it defines."""

    imports: Mapping[str, Collection[str]]
    classes: Mapping[str, Collection[str]]
    on_top: Collection[str]


def read(folder: Path) -> House:
    paths = {_module_of(path.relative_to(folder)): path for path in _sources(folder)}
    trees = {module: ast.parse(path.read_text(encoding="utf-8")) for module, path in paths.items()}
    known, packages = trees.keys(), {module for module, path in paths.items() if path.name == "__init__.py"}
    classes = defaultdict(list)
    for module, tree in trees.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                classes[node.name].append(module)
    imports = {module: set(_imports(tree, module, module in packages, known)) for module, tree in trees.items()}
    return House(imports, classes, sorted(path.name for path in (folder / "messaging").glob("*.py")))


def complaints(house: House, arrows: Mapping[str, str], twice: Mapping[str, str]) -> Iterator[str]:
    """A line for each thing that does not hold, with what to do."""
    allowed = {room: set(rooms.split()) for room, rooms in arrows.items()}
    used = {(room_of(module), room_of(other)) for module, others in house.imports.items() for other in others}
    for module, others in sorted(house.imports.items()):
        for other in sorted(others):
            yield from _of_arrow(module, other, allowed)
    for room, others in allowed.items():
        for other in sorted(others - {to for start, to in used if start == room}):
            yield f"{room} imports nothing of {other} any more: take the arrow out of ARROWS (tests/walls.py)."
    for circle in circles(house.imports):
        yield f"These import each other in a circle: {', '.join(circle)}. Move what they share into a module below them."
    for name, modules in sorted(house.classes.items()):
        if len(modules) > 1 and name not in twice:
            yield f"Two classes are called {name}, in {', '.join(modules)}: rename one, or say in TWICE why both may be."
    for name in twice.keys() - {name for name, modules in house.classes.items() if len(modules) > 1}:
        yield f"The name {name} means one thing now: take it out of TWICE (tests/walls.py)."
    if len(house.on_top) > MOST_ON_TOP:
        yield f"messaging/ has {len(house.on_top)} files on its top floor, at most {MOST_ON_TOP}: find them rooms."


def room_of(module: str) -> str:
    """The room of a module. All `models` of messaging are one: what the tables are, without what is done with them."""
    parts = module.split(".")
    if parts[0] == "messaging" and parts[-1] == "models":
        return "messaging.models"
    if parts[0] == "messaging":
        return ".".join(parts[:2])
    if parts[:2] in (["contacts", "blocks"], ["engage", "local"], ["engage", "celery"]):
        return ".".join(parts[:2])
    return parts[0]


def circles(imports: Mapping[str, Collection[str]]) -> list[list[str]]:
    """The sets of modules of which each reaches all others."""
    reached = {module: _reached(module, imports) for module in imports}
    found = {
        tuple(sorted(other for other in reached[module] if module in reached.get(other, ())))
        for module in imports
        if module in reached[module]
    }
    return [list(circle) for circle in sorted(found)]


def _of_arrow(module: str, other: str, allowed: Mapping[str, Collection[str]]) -> Iterator[str]:
    room, to = room_of(module), room_of(other)
    if other == TASKS:
        yield f"{module} imports {TASKS}, which only Celery loads: name the task instead (engage/wake.py)."
    elif room != to and room not in DOORS and to not in allowed.get(room, ()):
        yield (
            f"{module} imports {other}, and {room} may not import from {to}: move what it needs to where both may "
            "reach it, or, if the arrow makes sense, add it to ARROWS (tests/walls.py)."
        )


def _reached(start: str, imports: Mapping[str, Collection[str]]) -> set[str]:
    found: set[str] = set()
    ahead = list(imports[start])
    while ahead:
        module = ahead.pop()
        if module not in found:
            found.add(module)
            ahead += imports.get(module, ())
    return found


def _sources(folder: Path) -> Iterator[Path]:
    for package in PACKAGES:
        yield from (path for path in sorted((folder / package).rglob("*.py")) if "migrations" not in path.parts)


def _module_of(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def _imports(tree: ast.AST, module: str, is_package: bool, known: Collection[str]) -> Iterator[str]:
    for node in _run(tree):
        if isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, module if is_package else module.rpartition(".")[0])
            inner = [f"{base}.{each.name}" for each in node.names]
            names = [each if each in known else base for each in inner]
        else:
            continue
        yield from (name for name in names if name in known and name != module)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    return ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])


def _run(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but what stands under `if TYPE_CHECKING`."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
            yield node
            yield from _run(node)


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else BASE_DIR
    found = list(complaints(read(folder), ARROWS, TWICE))
    print(*found, sep="\n", end="\n" if found else "")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()

"""The house is kept in order by a test that reads every file."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "kestra_magic"
ROOMS = [
    "errors", "settings", "expressions", "model", "workspace", "process",
    "runners", "stores", "tasks", "runs", "show", "magics",
]  # fmt: skip
DOORS = {"__init__", "__main__"}
FILES = sorted(ROOT.rglob("*.py"))
OWNERS = {
    "IPython": {"show", "magics"},
    "ipywidgets": {"show", "magics"},
    "anywidget": {"show", "magics"},
    "psutil": {"process"},
    "pydantic": {"model"},
    "jinja2": {"expressions", "show"},
    "distributed": {"runners/dask"},
    "httpx": {"runners/kestra"},
}


def room_of(file: Path) -> str:
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(file: Path) -> list[tuple[int, str]]:
    """Return every module that *file* imports, with its line: also under TYPE_CHECKING and inside functions."""
    found: list[tuple[int, str]] = []
    package = ("kestra_magic", *file.relative_to(ROOT).parts[:-1])
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            found.append((node.lineno, ".".join(filter(None, (base, node.module)))))
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_imports_go_downstairs(file: Path) -> None:
    room = room_of(file)
    if room in DOORS:
        return
    for line, module in imports(file):
        if not module.startswith("kestra_magic."):
            continue
        other = module.split(".")[1]
        assert ROOMS.index(other) <= ROOMS.index(room), f"{file.name}:{line} imports {other}"


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_each_library_has_its_rooms(file: Path) -> None:
    place = str(file.relative_to(ROOT))
    for line, module in imports(file):
        owners = OWNERS.get(module.split(".")[0])
        if owners is None:
            continue
        assert any(place == owner or place.startswith(owner + "/") for owner in owners), (
            f"{place}:{line} imports {module}"
        )


def test_every_room_is_on_the_plan() -> None:
    rooms = {room_of(file) for file in FILES} - DOORS

    assert rooms <= set(ROOMS)


def test_rooms_have_no_hall() -> None:
    halls = [f for f in ROOT.glob("*/**/__init__.py") if f.read_text().strip()]

    assert halls == []


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_all_is_true(file: Path) -> None:
    tree = ast.parse(file.read_text("utf-8"))
    named = next((_strings(n.value) for n in tree.body if _assigns_all(n)), None)
    if file.name == "__init__.py" and not tree.body:
        return
    assert named is not None, f"{file.name} has no __all__"
    defined = {name for node in tree.body for name in _names(node)} | {"__getattr__"}
    if file == ROOT / "__init__.py":
        return
    assert set(named) <= defined
    assert list(named) == sorted(named, key=_isort)


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_only_public_names_are_imported(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (other := _module(file, node)):
            public = next(_strings(n.value) for n in ast.parse(other.read_text("utf-8")).body if _assigns_all(n))
            assert {alias.name for alias in node.names} <= set(public), f"{file.name}:{node.lineno}"


def _module(file: Path, node: ast.ImportFrom) -> Path | None:
    """Return the file of ours that *node* imports names from, None for a package and for what is not ours."""
    base = ROOT.parent if not node.level else file.parents[node.level - 1]
    found = base.joinpath(*(node.module or "").split(".")).with_suffix(".py")
    return found if found.is_relative_to(ROOT) and found.is_file() else None


def _isort(name: str) -> tuple[int, str]:
    return (0 if name.isupper() else 1 if name[:1].isupper() else 2, name)


def _assigns_all(node: ast.stmt) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return any(isinstance(t, ast.Name) and t.id == "__all__" for t in targets)


def _strings(node: ast.expr | None) -> list[str]:
    assert isinstance(node, ast.List | ast.Tuple)
    return [element.value for element in node.elts if isinstance(element, ast.Constant)]


def _names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.If | ast.Try):
        inner = [*node.body, *node.orelse, *(h for handler in getattr(node, "handlers", []) for h in handler.body)]
        return [name for child in inner for name in _names(child)]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name for alias in node.names]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [t.id for t in targets if isinstance(t, ast.Name)]

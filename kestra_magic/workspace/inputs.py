"""Files in: what `inputFiles` and `-f` say, and how it is placed into the work directory."""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from kestra_magic.errors import KestraMagicError, did_you_mean, did_you_mean_beside
from kestra_magic.workspace.directory import IllegalPath
from kestra_magic.workspace.storage import is_uri
from kestra_magic.workspace.tables import as_file, is_frame
from kestra_magic.workspace.transfer import copy, encoded, naming, write
from kestra_magic.workspace.tree import files_below, nearby

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from kestra_magic.workspace.directory import WorkDirectory
    from kestra_magic.workspace.storage import Storage

__all__ = ["PlacedFile", "Uploaded", "from_option", "input_files", "place", "placed"]


@dataclass(frozen=True, slots=True)
class PlacedFile:
    """One file to place: its name in the work directory, and its bytes or the file that holds them."""

    name: str
    content: bytes | None = None
    source: Path | None = None


# What a task says


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A file that was handed over with its content."""

    name: str
    content: bytes


def input_files(value: object, render: Callable[[str], str]) -> dict[str, str]:
    """Return the names and contents that `inputFiles` gives, rendered.

    A map, whose nulls say «no such file», or text that renders to a JSON map, whose nulls say «an empty file».
    Names are rendered once more. Source: ``FilesService.inputFiles``, ``PluginUtilsService.transformInputFiles``.

    Raises:
        KestraMagicError: it is something else, or two names are the same once rendered.
    """
    if isinstance(value, Mapping):
        given = [(render(str(k)), render(_text(k, v))) for k, v in value.items() if v is not None]
    elif isinstance(value, str):
        given = [(k, _coerced(k, v)) for k, v in _json_map(render(value)).items()]
    else:
        raise KestraMagicError(
            f"Invalid `inputFiles` with type '{type(value).__name__}': write a map of names to contents, "
            "or an expression that gives one as JSON"
        )
    return _distinct((render(name), content) for name, content in given)


def _text(name: object, value: object) -> str:
    if isinstance(value, str):
        return value
    raise KestraMagicError(f"`inputFiles`: the content of `{name}` is a {_kind(value)}; write it as text, in quotes")


def _kind(value: object) -> str:
    kinds = {"int": "number", "float": "number", "bool": "truth value", "dict": "map"}
    return kinds.get(type(value).__name__, type(value).__name__)


def _json_map(text: str) -> dict[str, object]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise KestraMagicError(f"`inputFiles` must render to a JSON map of names to contents: {error}") from None
    if not isinstance(value, dict):
        raise KestraMagicError(f"`inputFiles` must render to a JSON map of names to contents, not to a {_kind(value)}")
    return value


def _coerced(name: str, value: object) -> str:
    """Source: Jackson reads a scalar into a ``Map<String, String>`` as its text."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, (bool, int, float)):
        return json.dumps(value)
    return _text(name, value)


def _distinct(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    files: dict[str, str] = {}
    for name, content in pairs:
        if name in files:
            raise KestraMagicError(f"`inputFiles`: Duplicate key {name}; two names are the same once rendered")
        files[name] = content
    return files


# What is to be placed


def placed(files: Mapping[str, object], storage: Storage, *, namespace: str) -> list[PlacedFile]:
    """Return what is to be placed for values of any kind, by the name under which they shall lie.

    Text (a whole URI is fetched), bytes, a path (of a folder: all in it), a data frame (by the name's suffix),
    dict or list (JSON), output files and runs (each of their files, below the name).

    Raises:
        KestraMagicError: a URI or path leads to no file, or a value has no form as a file.
    """
    return [file for name, value in files.items() for file in _placed(name, value, storage, namespace)]


def _placed(name: str, value: object, storage: Storage, namespace: str) -> Iterator[PlacedFile]:
    if isinstance(value, str):
        if is_uri(value):
            yield PlacedFile(name, source=storage.path(value, namespace=namespace))
        else:
            yield PlacedFile(name, encoded(value))
    elif isinstance(value, (bytes, bytearray, memoryview)):
        yield PlacedFile(name, bytes(value))
    elif isinstance(value, os.PathLike):
        yield from _from_path(name, Path(os.fsdecode(value)))
    elif is_frame(value) or isinstance(value, (dict, list, tuple)):
        yield PlacedFile(name, as_file(name, value))
    elif isinstance(files := _files_of(value), Mapping):
        for below, file in files.items():
            yield from _placed(f"{name}/{below}".lstrip("/"), file, storage, namespace)
    else:
        kind = type(value).__name__
        raise KestraMagicError(
            f"`{name}`: a value of type `{kind}` has no form as a file; "
            "give text, bytes, a path, a DataFrame, a dict or a list"
        )


def _files_of(value: object) -> object:
    """Return the files of a run, or those of a mapping of files."""
    if isinstance(value, Mapping) and not isinstance(value, dict):
        return value
    return getattr(value, "files", None)


def _from_path(name: str, path: Path) -> Iterator[PlacedFile]:
    if path.is_dir():
        yield from (PlacedFile(f"{name}/{below}".lstrip("/"), source=file) for below, file in files_below(path).items())
    elif path.is_file():
        yield PlacedFile(name, source=path.absolute())
    else:
        if path.exists():
            raise KestraMagicError(f"`{name}`: `{path}` is a pipe or a device, and only regular files are placed")
        raise KestraMagicError(f"`{name}`: there is no file `{path}`{did_you_mean_beside(path)}")


def place(directory: WorkDirectory, files: Iterable[PlacedFile]) -> None:
    """Write *files* into the directory, one over the other where names meet; none is executable (0644).

    Originals are copied, never linked: a script may change what was placed.

    Raises:
        IllegalPath: a name leads out of the directory.
        KestraMagicError: an original is gone, or the disk does not take it.
    """
    for file in files:
        if not file.name.strip("/") or file.name.endswith("/"):
            raise IllegalPath(f"`{file.name}` is no name for an input file: it must end with the file's own name")
        target = directory.resolve(file.name)
        with naming(target):
            target.parent.mkdir(parents=True, exist_ok=True)
        if file.source is None:
            write(target, file.content or b"")
        elif not _same(file.source, target):
            copy(file.source, target)


def _same(source: Path, target: Path) -> bool:
    """With `--here`, what is asked for may already lie where it belongs."""
    return target.exists() and os.path.samefile(source, target)


# What the magic line says


def from_option(spec: str, *, beside: Path, names: Mapping[str, object]) -> dict[str, object]:
    """Return what `-f [DEST=]SRC` gives, by the name under which it is placed.

    SRC is a path, folder or glob relative to the folder *beside*, else one of *names*: a value, or a run (all its
    output files). DEST may be a folder: with a ``/`` at its end, for globs and for runs.

    Raises:
        KestraMagicError: there is no such file and no such name; the nearest is offered.
    """
    for dest, source in _readings(spec):
        if (found := _found(dest, source, beside, names)) is not None:
            return found
    source = _readings(spec)[-1][1]
    if os.path.islink(beside / source):
        raise KestraMagicError(f"`-f {spec}`: the link `{source}` leads to nothing: `{os.readlink(beside / source)}`")
    known = [*nearby(beside), *(name for name in names if not name.startswith("_"))]
    raise KestraMagicError(
        f"`-f {spec}`: there is no file, folder or variable `{source}` beside the notebook{_near(source, known)}"
    )


def _readings(spec: str) -> list[tuple[str | None, str]]:
    """A path may hold ``=`` itself (``year=2024/x.csv``): it is first tried whole."""
    dest, given, source = spec.partition("=")
    return [(None, spec), (dest, source)] if given and source else [(None, spec)]


def _found(dest: str | None, source: str, beside: Path, names: Mapping[str, object]) -> dict[str, object] | None:
    path = beside / os.path.expanduser(source)
    if path.exists():
        return {_destination(dest, _default(path, beside)): path}
    if glob.has_magic(source):
        matched = sorted(glob.glob(str(path), recursive=True))
        files = {p: _default(Path(p), beside) for p in matched if os.path.isfile(p)}
        prefix = _static(source)
        return {_below(dest, name, prefix): Path(p) for p, name in files.items()} or None
    return _variable(dest, source, names) if source in names else None


def _default(path: Path, beside: Path) -> str:
    """The name below the notebook's folder; of what lies elsewhere its own name."""
    inside = Path(os.path.normpath(path))
    folder = Path(os.path.normpath(beside))
    return inside.relative_to(folder).as_posix() if inside.is_relative_to(folder) else inside.name


def _destination(dest: str | None, default: str) -> str:
    if dest is None:
        return "" if default == "." else default
    return dest + PurePosixPath(default).name if dest.endswith("/") else dest


def _static(pattern: str) -> str:
    """Return the folders of a glob before its first special character."""
    parts = PurePosixPath(pattern).parts[:-1]
    fixed = next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    return "/".join(parts[:fixed])


def _below(dest: str | None, name: str, prefix: str) -> str:
    if dest is None:
        return name
    return f"{dest.rstrip('/')}/{name.removeprefix(prefix + '/') if prefix else name}"


def _variable(dest: str | None, name: str, names: Mapping[str, object]) -> dict[str, object]:
    value = names[name]
    files = None if is_frame(value) else _files_of(value)
    if isinstance(files, Mapping):
        folder = f"{dest.rstrip('/')}/" if dest else ""
        return {f"{folder}{below}": file for below, file in files.items()}
    return {_destination(dest, _file_name(name, value)): value}


def _file_name(name: str, value: object) -> str:
    """Return how a variable's file is called when nothing is said."""
    if isinstance(value, os.PathLike):
        return Path(os.fsdecode(value)).name
    if is_frame(value):
        return f"{name}.csv"
    return f"{name}.json" if isinstance(value, (dict, list, tuple)) else name


def _near(source: str, known: list[str]) -> str:
    """Offer the nearest name, or where a file of that name lies."""
    same = [name for name in known if PurePosixPath(name).name == PurePosixPath(source).name]
    return f"; did you mean `{same[0]}`?" if same else did_you_mean(source, known)

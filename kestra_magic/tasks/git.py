"""``git.Clone``: the ``git`` command, in the working directory."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit, urlunsplit

from kestra_magic.errors import KestraMagicError
from kestra_magic.runners.job import Job
from kestra_magic.tasks.place import Prepared

if TYPE_CHECKING:
    from kestra_magic.model.core import Clone
    from kestra_magic.tasks.place import Place

__all__ = ["prepare_clone"]

_SHA = re.compile(r"[0-9a-fA-F]{7,40}")


def prepare_clone(task: Clone, place: Place) -> Prepared:
    """Return the job that clones; the directory it clones into is the output.

    Raises:
        KestraMagicError: a property is not what it must be.
    """
    given = {name: place.resolve(task, name) for name in ("url", "directory", "branch", "tag", "commit", "depth")}
    directory = f"{place.root}/{given['directory']}" if given["directory"] else place.root
    if ".." in str(given["directory"] or "").split("/"):
        raise KestraMagicError(f"directory: `{given['directory']}` leads out of the working directory")
    user, password = place.resolve(task, "username"), place.resolve(task, "password")
    url = _with_user(str(given["url"]), user, password)
    script = "\n".join(("set -e", *_commands(task, place, given, url, str(given["directory"] or "."))))
    secret = (password, quote(password, safe="")) if password else ()
    job = Job(
        name=place.name,
        task_run=place.task_run,
        attempt=place.attempt,
        argv=("/bin/sh", "-c", script),
        env={"GIT_TERMINAL_PROMPT": "0"},
        root=place.root,
        shared=place.shared,
        log_dir=place.log_dir,
        timeout=place.timeout(task),
        mask=(*place.mask(), *secret),
        **place.options,
    )
    return Prepared(job=job, rendered=f"git clone {given['url']}", outputs={"directory": directory})


def _commands(task: Clone, place: Place, given: dict[str, Any], url: str, into: str) -> list[str]:
    words = ["git", *_config(task, place), "clone", "--quiet"]
    ref = given["branch"] or given["tag"]
    if ref:
        words += ["--branch", str(ref)]
    if given["depth"] and not given["commit"]:
        words += ["--depth", str(given["depth"])]
    if place.resolve(task, "clone_submodules"):
        words.append("--recurse-submodules")
    commands = [shlex.join([*words, "--", url, into])]
    if given["commit"]:
        if not _SHA.fullmatch(str(given["commit"])):
            raise KestraMagicError(f"commit: `{given['commit']}` is no commit's SHA")
        commands.append(shlex.join(["git", "-C", into, "checkout", "--quiet", str(given["commit"])]))
    return commands


def _config(task: Clone, place: Place) -> list[str]:
    certificate = place.resolve(task, "trusted_ca_pem_path")
    config = {**(place.resolve(task, "git_config") or {})}
    config |= {"http.sslCAInfo": certificate} if certificate else {}
    return [word for name, value in config.items() for word in ("-c", f"{name}={value}")]


def _with_user(url: str, user: str | None, password: str | None) -> str:
    parts = urlsplit(url)
    if not user or parts.scheme not in ("http", "https"):
        return url
    login = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
    return urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc.rpartition('@')[2]}"))

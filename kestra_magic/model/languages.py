"""The 16 script languages of Kestra, one row each (plugin-scripts, ``plugin-script-<lang>``: Script and Commands)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LANGUAGES", "Language"]


@dataclass(frozen=True, slots=True)
class Language:
    """How Kestra runs a script of this language.

    Attributes:
        image: the container Kestra would use by default.
        suffix: of the file a script is written to; empty where the text itself is the command.
        program: the words before that file.
        before: commands that come before the person's own ``beforeCommands``.
        interpreter: what runs the commands, unless the task says otherwise.
        fail_fast: the line that ends the shell at the first failing command; empty: ``failFast`` has no effect.
        optional_commands: whether a Commands task may have none.
    """

    name: str
    image: str
    suffix: str = ""
    program: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    interpreter: tuple[str, ...] = ("/bin/sh", "-c")
    fail_fast: str = "set -e"
    optional_commands: bool = False


_DOTNET_BEFORE = (
    "dotnet tool install -g dotnet-script --ignore-failed-sources || true",
    'export PATH="$PATH:$HOME/.dotnet/tools"',
)

LANGUAGES = {
    language.name: language
    for language in (
        Language("shell", "ubuntu"),
        Language("python", "python:3.13-slim", ".py", ("python3",)),
        Language("node", "node", ".js", ("node",)),
        Language("r", "r-base", ".R", ("Rscript",)),
        Language("julia", "julia", ".jl", ("julia",)),
        Language("ruby", "ruby", ".rb", ("ruby",)),
        Language("bun", "oven/bun", ".ts", ("bun", "run")),
        Language("deno", "denoland/deno", ".ts", ("deno", "run"), optional_commands=True),
        Language("go", "golang", ".go", ("go", "run")),
        Language("perl", "perl", ".pl", ("perl",), optional_commands=True),
        Language("php", "php", ".js", ("php",)),  # the suffix is Kestra's
        Language("lua", "nickblah/lua", ".lua", ("lua",), optional_commands=True),
        Language("jbang", "jbangdev/jbang-action", ".java", ("jbang", "--quiet")),
        Language("dotnet", "mcr.microsoft.com/dotnet/sdk:10.0", ".csx", ("dotnet-script",), _DOTNET_BEFORE),
        Language(
            "powershell",
            "ghcr.io/kestra-io/powershell:latest",
            ".ps1",
            interpreter=("pwsh", "-NoProfile", "-NonInteractive", "-Command"),
            fail_fast="$ErrorActionPreference = 'Stop'",
        ),
        Language("groovy", "groovy", ".groovy", ("groovy",)),
    )
}

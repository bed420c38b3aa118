"""The magics in every notebook of a profile: registered by name, imported when first used."""

from __future__ import annotations

from pathlib import Path

from IPython.paths import get_ipython_dir

__all__ = ["config_file", "disable", "enable"]

BEGIN = "# >>> kestra_magic >>>"
END = "# <<< kestra_magic <<<"
MAGICS = ("kestra_process", "kestra_flow", "kestra")


def enable(profile: str = "default") -> str:
    """Put the magics into *profile*'s configuration; return one sentence that says where."""
    file = config_file(profile)
    rest = _without(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    lazy = ", ".join(f'"{name}": "kestra_magic"' for name in MAGICS)
    file.write_text(
        f"{rest}{BEGIN}\nget_config().MagicsManager.lazy_magics.update({{{lazy}}})  # noqa\n{END}\n", "utf-8"
    )
    return f"enabled: every kernel of the profile `{profile}` knows the magics ({file})"


def disable(profile: str = "default") -> str:
    """Take them out again; what else stands in the file stays."""
    file = config_file(profile)
    rest = _without(file)
    if rest:
        file.write_text(rest, "utf-8")
    else:
        file.unlink(missing_ok=True)
    return f"disabled: the profile `{profile}` no longer knows the magics ({file})"


def config_file(profile: str) -> Path:
    """A file of its own kind, `ipython_config.py`, which IPython reads at every start."""
    return Path(get_ipython_dir()) / f"profile_{profile}" / "ipython_config.py"


def _without(file: Path) -> str:
    """Return the text of *file* without our block."""
    if not file.exists():
        return ""
    text = file.read_text("utf-8")
    before, begun, rest = text.partition(BEGIN + "\n")
    return before + rest.partition(END + "\n")[2] if begun else text

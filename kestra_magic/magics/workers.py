"""`%kestra workers`: the cluster that worker groups go to, and who offers what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kestra_magic.errors import KestraMagicError
from kestra_magic.magics.arguments import UsageError, parse
from kestra_magic.magics.options import Option
from kestra_magic.settings import current, update

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from kestra_magic.runners.dask.offers import Offer

__all__ = ["workers"]

WORKERS = (
    Option("local", metavar="N", help="start N workers on this machine, to try it; they end with this kernel"),
    Option("group", metavar="GROUP", help="what the local workers offer; default: local"),
    Option("off", help="worker groups run here again"),
)


def workers(_shell: InteractiveShell, rest: str, _cell: str | None) -> None:
    """`%kestra workers [ADDRESS] [--local N] [--group GROUP] [--off]`: where worker groups go; bare: who is there."""
    address, options = parse("%kestra workers", WORKERS, rest)
    if options["off"]:
        _off()
        return
    try:
        from kestra_magic.runners.dask.cluster import connect
        from kestra_magic.runners.dask.offers import local, offers
    except ImportError as error:
        raise KestraMagicError(f"worker groups need `pip install 'kestra-magic[dask]'` here ({error})") from None
    if options["local"]:
        address = local(_count(options["local"]), options["group"] or "local")
    address = address or current().worker_groups
    if not address:
        print("no cluster is known: worker groups run here\n`%kestra workers ADDRESS` names a Dask scheduler")
        return
    found = offers(connect(address))
    update(worker_groups=address)
    print(_table(found) if found else f"`{address}` has no workers yet: `dask worker {address} --resources GROUP=N`")


def _off() -> None:
    from kestra_magic.runners.dask.cluster import disconnect
    from kestra_magic.runners.dask.offers import stop_local

    stop_local()
    disconnect(current().worker_groups)
    update(worker_groups="")
    print("worker groups run here")


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 64:
        raise UsageError(f"`--local {text}`: how many workers, from 1 to 64")
    return int(text)


def _table(found: list[Offer]) -> str:
    rows = [("worker", "host", "threads", "offers", "kestra-magic")]
    rows += [(o.name, o.host, str(o.threads), _groups(o), o.version or "none") for o in found]
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, wide, strict=True)).rstrip() for row in rows]
    return "\n".join([*lines, *(offer.problem for offer in found if offer.problem)])


def _groups(offer: Offer) -> str:
    return ", ".join(f"{group} ({amount:g} at once)" for group, amount in sorted(offer.groups.items())) or "no group"

"""Children that do not want to end, one function for each way. Run as ``python -S -I stubborn.py WAY TOKEN``.

Each says ``up`` when it stands, and ends by itself after a while, so that a failing test leaves a machine that lives.
"""

from __future__ import annotations

import os
import signal
import sys
import time

LIFE = 30.0
BORN = time.monotonic()


def up() -> None:
    os.write(1, b"up\n")


def for_ever() -> None:
    while time.monotonic() < BORN + LIFE:
        time.sleep(1)
    os._exit(9)


def breathe() -> None:
    if time.monotonic() > BORN + LIFE:
        os._exit(9)


def child(does: object = None) -> int:
    """Fork; the child does what it is told and then stays."""
    pid = os.fork()
    if pid == 0:
        if callable(does):
            does()
        for_ever()
    return pid


def detach() -> None:
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)


def close_all() -> None:
    os.closerange(0, 256)


def daemon() -> None:
    detach()
    close_all()
    os.chdir("/")


def plain() -> None:
    up()


def tree() -> None:
    for _ in range(3):
        child(lambda: [child() for _ in range(2)])
    up()


def setsid() -> None:
    def leave() -> None:
        os.setsid()
        child()

    child(leave)
    up()


def daemons() -> None:
    child(daemon)
    up()


def ignores_signals() -> None:
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    child()
    child(os.setsid)
    up()


def blocks_signals() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
    child(detach)
    up()


def stands_still() -> None:
    def stop() -> None:
        os.setsid()
        os.kill(os.getpid(), signal.SIGSTOP)

    child(stop)
    up()
    os.kill(os.getpid(), signal.SIGSTOP)


def closes_everything() -> None:
    up()
    close_all()
    child(os.setsid)


def empties_environment() -> None:
    def change() -> None:
        daemon()
        os.execve(sys.executable, [sys.executable, "-S", "-I", __file__, "quiet", sys.argv[2]], {})

    child(change)
    up()


def quiet() -> None:
    pass


def forks_away(pause: float) -> None:
    def go() -> None:
        while True:
            breathe()
            time.sleep(pause)
            if os.fork():
                os._exit(0)
            os.setsid()

    child(go)


def respawns_slowly() -> None:
    forks_away(0.02)
    up()


def respawns_fast() -> None:
    for _ in range(4):
        forks_away(0.0)
    up()


def revive_each_other() -> None:
    def go() -> None:
        os.setsid()
        while True:
            breathe()
            partner = os.fork()
            if partner == 0:
                os.setsid()
            else:
                os.waitpid(partner, 0)

    child(go)
    up()


def bombs(pause: float, most: int) -> None:
    def go() -> None:
        for _ in range(most):
            breathe()
            time.sleep(pause)
            if os.fork() == 0:
                os.setsid()

    child(go)


def bombs_slowly() -> None:
    bombs(0.06, 6)
    up()


def bombs_fast() -> None:
    bombs(0.004, 8)
    up()


def adopts_too() -> None:
    import ctypes

    adopt = ctypes.CDLL(None).prctl
    adopt(36, 1, 0, 0, 0)
    child(daemon)

    def nested() -> None:
        os.setsid()
        adopt(36, 1, 0, 0, 0)
        child(detach)

    child(nested)
    up()


def is_another_user() -> None:
    def change() -> None:
        detach()
        if os.getuid() == 0:
            os.setgid(65534)
            os.setuid(65534)

    child(change)
    up()


def leaves_orphans() -> None:
    child()
    child(daemon)
    up()
    time.sleep(0.05)
    os._exit(0)


def is_wide() -> None:
    for number in range(500):
        child(os.setsid if number % 2 else None)
    up()


def is_deep() -> None:
    up()
    for _ in range(100):
        if os.fork():
            for_ever()
        os.setsid()


if __name__ == "__main__":
    globals()[sys.argv[1]]()
    for_ever()

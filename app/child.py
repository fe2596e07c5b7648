"""A process of `florin run`: the API or the worker, which live no longer than the supervisor.

    python -m app.child api PIPE SOCKET
    python -m app.child worker PIPE

PIPE is a file descriptor on which the supervisor holds the other end. It sends one byte when the data is ready; until then
this process loads what it needs. The end of the pipe means that the supervisor is gone, however it went.
"""

import os
import signal
import socket
import sys
import threading
import time

from app.console import complain
from app.errors import OperatorError

#: How long an orphan may take to finish what it does.
ORPHAN_GRACE_S = 25.0


def main(role: str, pipe: int, listener: int | None) -> int:
    go = threading.Event()
    threading.Thread(target=_watch, args=(pipe, go), name="supervisor", daemon=True).start()
    try:
        return _run_api(go, listener) if role == "api" else _run_worker(go)
    except OperatorError as error:
        complain(str(error))
        return 2


def _watch(pipe: int, go: threading.Event) -> None:
    while os.read(pipe, 1):
        go.set()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(ORPHAN_GRACE_S)
    os._exit(1)


def _run_api(go: threading.Event, listener: int | None) -> int:
    from app.asgi import app
    from app.serving import serve
    from app.settings import Settings

    go.wait()
    serve(app, Settings.load(), None if listener is None else socket.socket(fileno=listener))
    return 0


def _run_worker(go: threading.Event) -> int:
    from app.worker import main

    go.wait()
    return main()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else None))

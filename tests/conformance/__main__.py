"""Other people's clients against a running Florin: `python -m tests.conformance`, with Node 20 or newer.

Starts `florin run` in a folder of its own, unless FLORIN_URL names one that runs already.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parent
SCRIPTS = (["audits.mjs"], ["--test", "sockets.mjs"])


def main() -> int:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        sys.exit("The conformance suites need Node and npm on the PATH.")
    subprocess.run([npm, "ci", "--no-audit", "--no-fund", "--silent"], cwd=FOLDER, check=True)
    given = os.environ.get("FLORIN_URL")
    with contextlib.nullcontext(given) if given else florin() as url:
        environment = {**os.environ, "FLORIN_URL": url}
        codes = [subprocess.run([node, *script], cwd=FOLDER, env=environment, check=False).returncode for script in SCRIPTS]
    return max(codes)


@contextlib.contextmanager
def florin() -> Iterator[str]:
    """The URL of a whole Florin, empty, that ends with the block."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="florin-conformance-") as data:
        command = [sys.executable, "-m", "app.cli", "run", "--no-demo", "--data", data, "--port", str(port)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            ready = next((line for line in process.stdout if line.startswith("ready ")), None)
            if ready is None:
                sys.exit("Florin did not start.")
            yield ready.split()[1]
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)


if __name__ == "__main__":
    sys.exit(main())

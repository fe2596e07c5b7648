"""Other people's clients against a running Florin: `python -m tests.conformance [NAME...]`, with Node 20 or newer.

    composition    Apollo's takes the schema, whole and as a subgraph per domain
    audits         graphql-http's of GraphQL over HTTP
    sockets        graphql-ws' client
    fuzzing        schemathesis' 2,000 cases

Starts `florin run` in a folder of its own, unless FLORIN_URL names one that runs already, with its demo and introspection on.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from resolvers.schema import export_sdl
from tests.conformance import fuzzing
from tests.conformance.subgraphs import all_subgraphs

FOLDER = Path(__file__).parent
SCRIPTS = {"audits": ["audits.mjs"], "sockets": ["--test", "sockets.mjs"]}
NAMES = ("composition", *SCRIPTS, "fuzzing")


def main(wanted: Sequence[str]) -> int:
    """The exit code: 0 when all that is wanted passes."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        sys.exit("The conformance suites need Node and npm on the PATH.")
    subprocess.run([npm, "ci", "--no-audit", "--no-fund", "--silent"], cwd=FOLDER, check=True)
    codes = {"composition": _compose(node)} if "composition" in wanted else {}
    given = os.environ.get("FLORIN_URL")
    with contextlib.nullcontext(given) if given else florin() as url:
        environment = {**os.environ, "FLORIN_URL": url}
        for name, script in SCRIPTS.items():
            if name in wanted:
                codes[name] = subprocess.run([node, *script], cwd=FOLDER, env=environment, check=False).returncode
        if "fuzzing" in wanted:
            codes["fuzzing"] = fuzzing.main(url)
    for name, code in codes.items():
        sys.stdout.write(f"{name}: {'failed' if code else 'passed'}\n")
    return max(codes.values())


def _compose(node: str) -> int:
    with tempfile.TemporaryDirectory(prefix="florin-composition-") as folder:
        whole, parts = Path(folder, "schema.graphql"), Path(folder, "subgraphs")
        whole.write_text(export_sdl())
        parts.mkdir()
        for domain, sdl in all_subgraphs().items():
            (parts / f"{domain}.graphql").write_text(sdl)
        return subprocess.run([node, "composition.mjs", whole, parts], cwd=FOLDER, check=False).returncode


@contextlib.contextmanager
def florin() -> Iterator[str]:
    """The URL of a whole Florin with its demo, that ends with the block."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="florin-conformance-") as data:
        command = [sys.executable, "-m", "app.cli", "run", "--data", data, "--port", str(port)]
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
    names = sys.argv[1:] or NAMES
    if not set(names) <= set(NAMES):
        sys.exit(f"one or more of: {', '.join(NAMES)}")
    sys.exit(main(names))

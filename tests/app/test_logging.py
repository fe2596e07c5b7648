"""What a log holds of a failure."""

import subprocess
import sys

import pytest

SCRIPT = """
import os
import structlog
from app.logging import configure
from types import SimpleNamespace

configure(SimpleNamespace(log_level="info", log_format={format!r}))

def ask(token):
    raise RuntimeError("the bank is away")

try:
    ask(os.environ["CANARY"])
except RuntimeError as error:
    structlog.get_logger().error("job.failed", exc_info=error)
"""


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_tells_where_and_not_the_values_of_variables(log_format: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(format=log_format)],
        env={"CANARY": "somebodys-token", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert "the bank is away" in done.stderr
    assert "in ask" in done.stderr
    assert "somebodys-token" not in done.stderr

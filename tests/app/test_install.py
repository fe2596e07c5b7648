"""deploy/install, which the Makefile asks before each verb: which Python it takes, and when it does nothing."""

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "deploy" / "install"
#: Stands for Python: notes what it is asked to install, and makes an "environment" that holds itself.
PYTHON = """#!/bin/sh
case "$*" in
    "-c "*) exit 0 ;;
    "--version") echo "Python 3.11.0" ;;
    "-m venv "*) mkdir -p "$4/bin" && cp "$0" "$4/bin/python" && echo "venv" >> asked ;;
    *) echo "$*" >> asked ;;
esac
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("deploy", "bin"):
        (tmp_path / name).mkdir()
    shutil.copy(SCRIPT, tmp_path / "deploy" / "install")
    for name in ("pyproject.toml", "requirements.lock", "requirements-dev.lock"):
        (tmp_path / name).write_text(name)
    place(tmp_path, "python3.12", "#!/bin/sh\necho 'no such version' >&2\nexit 127\n")  # as a pyenv shim without a version does
    place(tmp_path, "python3.11", PYTHON)
    return tmp_path


def place(tree: Path, name: str, text: str) -> None:
    program = tree / "bin" / name
    program.write_text(text)
    program.chmod(0o755)


def install(tree: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": f"{tree}/bin:/usr/bin:/bin"}
    return subprocess.run([tree / "deploy" / "install", *arguments], env=environment, capture_output=True, text=True, check=False)


def asked(tree: Path) -> list[str]:
    """What was installed since the last look, without the options that are always the same."""
    file = tree / "asked"
    lines = file.read_text().splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    return [line.removeprefix("-m pip --disable-pip-version-check --no-input install --quiet ") for line in lines]


def from_lock(name: str) -> list[str]:
    return [f"--require-hashes --no-deps --requirement {name}", "--no-deps --no-build-isolation --editable ."]


def test_a_python_that_does_not_start_is_passed_over_and_the_lock_is_installed_by_hashes(tree: Path) -> None:
    done = install(tree, "run", "")

    assert done.returncode == 0, done.stderr
    assert "making .venv with Python 3.11.0" in done.stderr
    assert asked(tree) == ["venv", *from_lock("requirements.lock")]


def test_what_is_installed_is_not_installed_again(tree: Path) -> None:
    install(tree, "run", "")
    asked(tree)

    done = install(tree, "run", "")

    assert (done.returncode, done.stdout + done.stderr, asked(tree)) == (0, "", [])


def test_a_changed_lock_is_installed_into_the_same_environment(tree: Path) -> None:
    install(tree, "run", "")
    asked(tree)
    (tree / "requirements.lock").write_text("changed")

    install(tree, "run", "")

    assert asked(tree) == from_lock("requirements.lock")


def test_what_is_for_development_serves_to_run_too(tree: Path) -> None:
    install(tree, "dev", "")
    assert asked(tree) == ["venv", *from_lock("requirements-dev.lock")]

    install(tree, "run", "")
    assert asked(tree) == []


def test_what_failed_is_tried_again(tree: Path) -> None:
    place(tree, "python3.11", PYTHON.replace('*) echo "$*" >> asked ;;', "*) exit 1 ;;"))
    assert install(tree, "run", "").returncode == 1
    (tree / ".venv" / "bin" / "python").write_text(PYTHON)

    assert install(tree, "run", "").returncode == 0

    assert asked(tree)[-2:] == from_lock("requirements.lock")


def test_a_named_python_that_is_none_is_refused(tree: Path) -> None:
    done = install(tree, "run", "/no/such/python")

    assert done.returncode == 1
    assert "Florin needs Python 3.11 or 3.12" in done.stderr
    assert "PYTHON=" in done.stderr

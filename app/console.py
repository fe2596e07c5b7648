"""What a person at the terminal sees: steps on stderr while something works, results on stdout."""

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn


class Steps:
    """A bar that goes forward with each step on a terminal, else a plain line per step. Nothing of it on stdout."""

    def __init__(self, total: int) -> None:
        self._console = Console(stderr=True)
        self._total = total
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._last = ""
        if self._console.is_terminal:
            columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=24), TimeElapsedColumn())
            self._bar = Progress(*columns, console=self._console, transient=True)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task("", total=self._total)
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.done()

    def done(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()

    def step(self, text: str) -> None:
        """The next step begins."""
        if self._bar is None:
            self._line(text)
        else:
            done = self._bar.tasks[0].description != ""
            self._bar.update(self._task, advance=1 if done else 0, description=text)

    def note(self, text: str) -> None:
        """A detail of the step: in the bar's place of words on a terminal, which the next one takes."""
        if self._bar is None:
            self._line(text)
        else:
            self._bar.update(self._task, description=text)

    def _line(self, text: str) -> None:
        if text == self._last:
            return
        self._last = text
        sys.stderr.write(f"florin: {text}\n")
        sys.stderr.flush()


def say(text: str) -> None:
    """A result: one or more plain lines on stdout."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def complain(text: str) -> None:
    """What went wrong, on stderr."""
    sys.stderr.write(f"florin: {text}\n")
    sys.stderr.flush()

"""A compile's news on stderr: a progress bar where it is a terminal, warnings always."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from ..report import Reporter


class Progress(Reporter):
    """Context manager: the bar is gone when it ends."""

    def __init__(self, quiet: bool) -> None:
        console = Console(stderr=True, highlight=False)
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        hidden = quiet or not console.is_terminal
        self._bar = Bar(*columns, console=console, transient=True, disable=hidden)
        self._console = console
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def warn(self, message: str) -> None:
        self._console.print(f"warning: {escape(message)}", soft_wrap=True)

    def phase(self, name: str, total: int) -> None:
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(name, total=total)

    def advance(self, units: int) -> None:
        if self._task is not None:
            self._bar.advance(self._task, units)

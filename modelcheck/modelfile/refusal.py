"""One reason for refusing a file, and the words for what came from it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Refusal", "quote"]


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """One thing about a file for which it is refused.

    Parameters
    ----------
    rule : str
        The rule's short name, a row of docs/model_files.md.
    where : str
        The member, and the place in it.
    reason : str
        What is wrong, in one sentence; what came from the file is quoted and escaped.
    option : str
        The setting that allows it knowingly; empty where nothing does.
    """

    rule: str
    where: str
    reason: str
    option: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}" + (f" (allowed by {self.option})" if self.option else "")


def quote(text: object, *, longest: int = 80) -> str:
    """Return text from a file in quotes, cut, with everything that a terminal would act on escaped."""
    # A value of another kind may hold a whole file, and is not written out for some characters of it.
    shown = (
        text
        if isinstance(text, str | bytes | int | float | None | Exception)
        else f"a value of type {type(text).__name__}"
    )
    return repr(str(shown)[:longest])

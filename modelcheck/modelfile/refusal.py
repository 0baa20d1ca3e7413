"""One reason for refusing a file, and the words for what came from it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MAX_REFUSALS", "MAX_TEXT_CHARACTERS", "Refusal", "StrangeFileError", "checked_text", "quote"]

MAX_REFUSALS = 100  # whoever reads them has stopped long before
MAX_TEXT_CHARACTERS = 10_000


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


class StrangeFileError(ValueError):
    """A file that is read no further; `refusals` says why.

    Parameters
    ----------
    *refusals : Refusal
        All that was found until then, at least one.
    """

    def __init__(self, *refusals: Refusal) -> None:
        super().__init__("\n".join(str(refusal) for refusal in refusals))
        self.refusals = refusals

    @classmethod
    def of(cls, rule: str, where: str, reason: str) -> StrangeFileError:
        """Make the error of one refusal."""
        return cls(Refusal(rule=rule, where=where, reason=reason))


def quote(text: object, *, longest: int = 80) -> str:
    """Return text from a file in quotes, cut, with everything that a terminal would act on escaped."""
    # A value of another kind may hold a whole file, and is not written out for some characters of it.
    shown = (
        text
        if isinstance(text, str | bytes | int | float | None | Exception)
        else f"a value of type {type(text).__name__}"
    )
    return repr(str(shown)[:longest])


def checked_text(data: bytes | memoryview, where: str) -> str:
    """Return bytes of a file as text.

    Raises
    ------
    StrangeFileError
        When they are no UTF-8, are longer than 10,000 bytes, or hold what cannot be printed.
    """
    if len(data) > MAX_TEXT_CHARACTERS:
        raise StrangeFileError.of("text", where, f"it has a text of {len(data):,} bytes")
    try:
        text = bytes(data).decode("utf-8")
    except UnicodeDecodeError as error:
        raise StrangeFileError.of("text", where, "it has a text that is no UTF-8") from error
    if not text.isprintable():
        raise StrangeFileError.of("text", where, f"it has a text with control characters: {quote(text)}")
    return text

"""The one exception that the command line turns into a sentence instead of a traceback, and others' words in it."""


class UserError(Exception):
    """A mistake that a user can correct.

    The message is one sentence that names the file or key that is wrong and says what to do. The command line prints it
    without a traceback and exits with status 2.
    """


def one_line(value: object, most: int = 200) -> str:
    r"""A value's text, such as the message of a library's error, in one line that is cut off at a length.

    Args:
        value: The value.
        most: Largest number of characters in the line.

    Example:
        >>> one_line("two\nlines", 6)
        'two l…'
    """
    text = " ".join(str(value).split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


def printable(text: str) -> str:
    r"""A text whose unprintable characters, such as those of a file's odd name, are written as escapes.

    Example:
        >>> printable("two\nlines \udcff")
        'two\\nlines \\udcff'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its kind if it has none."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def brief(error: BaseException) -> str:
    """An error's kind and message in one line."""
    return f"{type(error).__name__}: {one_line(error)}".removesuffix(": ")

"""Errors that are meant for the person at the keyboard."""

import errno
import os

_ON_CPU = "can't allocate memory"
_STORAGE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES)


class UserError(Exception):
    """Something the user can mend: one line that says what was wrong, where, and what would be right.

    Command-line entry points print the message without a traceback and exit with code 2.
    """


class NotFinite(UserError):
    """A loss, an activation or a likelihood that is infinite or not a number, and where."""


def out_of_memory(error: Exception) -> bool:
    """Whether memory did not suffice, on whatever device. torch has no class of its own for that on a processor."""
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or _ON_CPU in str(error)


def user_message(error: Exception) -> str | None:
    """The line that the user is told of an error: a UserError's own, or what is wrong with memory or disk; else None.

    Libraries that are not written in Python say what the disk's matter is in words alone.
    """
    if isinstance(error, UserError):
        return str(error)
    if out_of_memory(error):
        said = (str(error).splitlines() or [""])[0]
        return f"out of memory: {said}; a smaller batch_size, a smaller model or a larger device is needed"
    for number in _STORAGE:
        if getattr(error, "errno", None) == number or os.strerror(number) in str(error):
            where = f"{error.filename}: " if getattr(error, "filename", None) else ""
            return f"{where}{os.strerror(number)}; mend that and run again: what is finished is kept"
    return None

"""Errors that are meant for the person at the keyboard."""

import errno
import os

_STORAGE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES)


class UserError(Exception):
    """Something the user can mend: one line that says what was wrong, where, and what would be right.

    Command-line entry points print the message without a traceback and exit with code 2.
    """


class NotFinite(UserError):
    """A loss, an activation or a likelihood that is infinite or not a number, and where."""


def told(error: Exception) -> str | None:
    """The line that the user is told of an error: a UserError's own, or what is wrong with the disk; else None.

    Libraries that are not written in Python say what the disk's matter is in words alone.
    """
    if isinstance(error, UserError):
        return str(error)
    for number in _STORAGE:
        if getattr(error, "errno", None) == number or os.strerror(number) in str(error):
            where = f"{error.filename}: " if getattr(error, "filename", None) else ""
            return f"{where}{os.strerror(number)}; mend that and run again: what is finished is kept"
    return None

"""Errors with a message for the user."""

import errno
import os

_CPU_OUT_OF_MEMORY = "can't allocate memory"  # torch raises a bare RuntimeError with these words
_STORAGE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES)


class UserError(Exception):
    """A mistake that the user can correct. The message is one line: what was wrong, where, and what is needed.

    Command-line entry points print the message without a traceback and exit with code 2.
    """


class NotFinite(UserError):
    """A loss, an activation or a likelihood is infinite or NaN."""


def out_of_memory(error: Exception) -> bool:
    """Whether the CPU or the GPU ran out of memory."""
    kind = type(error).__name__
    return isinstance(error, MemoryError) or kind == "OutOfMemoryError" or _CPU_OUT_OF_MEMORY in str(error)


def user_message(error: Exception) -> str | None:
    """The line to show for an error: a UserError's message, or a full memory or disk in plain words; otherwise None.

    Libraries written in Rust or C++ report a full disk by the system's words only, without an error number.
    """
    if isinstance(error, UserError):
        return str(error)
    if out_of_memory(error):
        first_line = (str(error).splitlines() or [""])[0]
        return f"out of memory: {first_line}; a smaller batch_size, a smaller model or a larger device is needed"
    for number in _STORAGE:
        if getattr(error, "errno", None) == number or os.strerror(number) in str(error):
            file = getattr(error, "filename", None)
            where = f"{file}: " if file else ""
            return f"{where}{os.strerror(number)}; correct that and run again: finished files are kept"
    return None

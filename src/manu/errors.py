"""The one exception that is meant for the person at the keyboard."""


class UserError(Exception):
    """Something the user can mend: one line that says what was wrong, where, and what would be right.

    Command-line entry points print the message without a traceback and exit with code 2.
    """

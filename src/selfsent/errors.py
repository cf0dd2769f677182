"""The one exception a user's mistake becomes."""


class UserError(ValueError):
    """A mistake of the caller: one line saying what was received, what is needed, and how to get there.

    The command line prints the text after ``error:`` and exits with code 2, without a traceback. From Python it is a
    ``ValueError``.
    """

"""The one exception that the command line turns into a sentence instead of a traceback."""


class UserError(Exception):
    """Something a user can put right.

    The message is one sentence that names the file or key that is wrong and says what to do. The command line prints it
    without a traceback and exits with status 2.
    """

"""What goes wrong while developing, told to a person in one line."""


class DevkitError(Exception):
    """A mistake or a missing part; the message is the one line the person at the terminal reads."""


class StartError(DevkitError):
    """A process ended, or never became ready, when it was started for the first time."""


class AlreadyRunningError(DevkitError):
    """Another supervisor holds the same run folder."""

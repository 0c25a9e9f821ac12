"""The errors of the agent: one base class, one subclass per thing that a caller could handle."""


class DpmGuestError(Exception):
    """Base of all errors raised by this package; as a text, a sentence meant for a person.

    Args:
        text: what is wrong, with which values
        cure: what to do or to look at, '' where that is not known; whoever shows the error shows it
    """

    def __init__(self, text: str, cure: str = "") -> None:
        super().__init__(f"{text}; {cure}" if cure else text)
        self.cure = cure


class InvalidIdError(DpmGuestError):
    """A text is no bus id, device number or MAC."""


class InvalidNicError(DpmGuestError):
    """A NIC cannot be written as a tuple: its port, MAC or device numbers forbid it."""


class TooLongError(DpmGuestError):
    """The boot parameters would not fit into the partition's property."""


class UsageError(DpmGuestError):
    """The command line of ``dpm-guest`` itself is wrong."""


class UnnamedError(DpmGuestError):
    """A NIC that nobody names can't be brought up; the text says why."""


class InterfaceError(DpmGuestError):
    """The kernel refused to change an interface."""

"""How a check ends: it returns what it found, or raises one of these."""


class Failed(Exception):
    """The machine or muster does not do what it must. The text says what was seen."""


class Skipped(Exception):
    """The check cannot be made here. The text says what the machine lacks."""


class Interrupted(BaseException):
    """A signal ends the suite. No Exception, so that no check takes it for an error of its own."""

    def __init__(self, number: int):
        super().__init__(number)
        self.number = number


def expect(holds: bool, seen: str) -> None:
    """Raises Failed(seen) unless the condition holds."""
    if not holds:
        raise Failed(seen)

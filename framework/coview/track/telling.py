"""What only tells about a run may fail without ending it."""

from __future__ import annotations

from collections.abc import Callable


class Telling:
    """Does what only tells about a run. Where that fails, it is said once, and the run goes on.

    Args:
        say: Gets the sentence.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._failed: set[str] = set()

    def __call__(self, what: str, tell: Callable[[], object]) -> bool:
        """Whether it could be done.

        Args:
            what: The name of what is written or shown.
            tell: Does it.
        """
        try:
            tell()
        except Exception as error:  # whatever it is: nobody wants to lose a night's training to a curve
            if what not in self._failed:
                self._failed.add(what)
                reason = f"{type(error).__name__}: {error}".splitlines()[0]
                self._say(f"warning: {what} cannot be written ({reason}): the run goes on without it")
            return False
        return True

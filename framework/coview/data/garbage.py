"""How often this process looks for objects that only refer to each other."""

from __future__ import annotations

import atexit
import gc

_NEW_OBJECTS = 100_000
"""Python looks for garbage once there are so many more objects. After each 700, its default, it would look through all
of torch again and again while torch is imported, a twentieth of the time of a command."""


def look_for_garbage_seldom() -> None:
    """Has this process look for garbage after many new objects, and not as it ends.

    Python would take apart all that was imported before it ends, which takes up to two seconds once that is torch. The
    system gets the memory back in any case. A file that is still open and referred to by nothing but garbage is not
    flushed then: Python does not promise that either.
    """
    gc.set_threshold(_NEW_OBJECTS, *gc.get_threshold()[1:])
    atexit.register(gc.freeze)

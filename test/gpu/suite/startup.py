"""How long the first program of a chunk takes until it can use its card."""

from .binding import look_at_libraries
from .outcome import Skipped
from .suite import Suite


def check_startup(suite: Suite) -> str:
    """Of the first chunk on the first card, so as cold as it gets without dropping the system's caches."""
    look = look_at_libraries(suite)[0]
    found = ["{} {:.1f} s".format(name, look[name]["seconds"]) for name in ("torch", "cupy") if "seconds" in (look[name] or {})]
    if not found:
        raise Skipped("PyTorch and no CuPy")
    suite.figures["startup"] = ", ".join(found)
    return suite.figures["startup"]

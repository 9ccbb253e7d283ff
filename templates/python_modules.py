"""Prints which modules a Python interpreter would find, with their versions, as one line. For any Python 3.

    PYTHON -c THIS MODULE...

It imports none of them: a module that initializes a GPU when it is imported must not do so for a check.
"""
import importlib.util
import json
import sys
from typing import Dict, List, Mapping, Optional

try:
    from importlib import metadata  # Python 3.8+
except ImportError:
    metadata = None

# Module -> its distributions. It takes long to build, so it is built only where a module is not named like its distribution.
distributions = None  # type: Optional[Mapping[str, List[str]]]


def version_of(name: str) -> Optional[str]:
    """The version of the distribution that a module comes from; None where it is not known."""
    global distributions
    if metadata is None:
        return None
    try:
        return metadata.version(name)
    except Exception:
        if name.split(".")[0] in getattr(sys, "stdlib_module_names", ()):
            return None
    try:
        if distributions is None:
            distributions = getattr(metadata, "packages_distributions")()  # Python 3.10+
        assert distributions is not None
        return metadata.version(distributions[name.split(".")[0]][0])
    except Exception:
        return None


def main(names: List[str]) -> None:
    found = {}  # type: Dict[str, Dict[str, object]]
    for name in names:
        try:
            spec = importlib.util.find_spec(name)
        except Exception:
            spec = None
        found[name] = {"found": spec is not None, "version": None if spec is None else version_of(name)}
    print("\nmuster-modules " + json.dumps({"python": "%d.%d.%d" % sys.version_info[:3], "modules": found}))


main(sys.argv[1:])

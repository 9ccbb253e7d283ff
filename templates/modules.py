"""Says which modules an interpreter would find, and their versions, as one line on stdout.

    PYTHON -c THIS MODULE...

Imports none of them: one that initialises a GPU when it is imported must not do so because somebody asked for it.
"""
import importlib.util
import json
import sys

try:
    from importlib import metadata
except ImportError:
    metadata = None

# Reading what every package brings takes long, so only where a module is not called as its package.
owners = None


def version_of(name):
    global owners
    try:
        return metadata.version(name)
    except Exception:
        if metadata is None or name.split(".")[0] in getattr(sys, "stdlib_module_names", ()):
            return None
    try:
        if owners is None:
            owners = metadata.packages_distributions()
        return metadata.version(owners[name.split(".")[0]][0])
    except Exception:
        return None


found = {}
for name in sys.argv[1:]:
    try:
        spec = importlib.util.find_spec(name)
    except Exception:
        spec = None
    found[name] = {"found": spec is not None, "version": None if spec is None else version_of(name)}
print("\nmuster-modules " + json.dumps({"python": "%d.%d.%d" % sys.version_info[:3], "modules": found}))

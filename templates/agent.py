"""muster's agent: runs the chunks of one run on one node. Python 3.8+, standard library only, Linux.

It arrives over the channel on which it then talks (templates/nodeprograms.ts), and is never stored. PARTS holds the sources of the
package muster_agent, and of the worker library `muster`, by module name. `attach ROOT` passes its stdin and stdout to the run's daemon (which it starts where there is
none) and waits; the daemon speaks JSON lines over them (docs/protocol.md) and outlives the connection. `clean ROOT` ends what is
left of a run without its daemon. `follow ROOT SELECTION` sends the logs of attempts while they are written. `cache WORKDIR ACTION
BUDGET` shows or prunes WORKDIR/cache, which the runs of the node share. `samples SECONDS` prints figures of the GPUs.
ROOT is the run's folder on the node:

    w/SLOT            working copy of a slot: its attempts run in it
    w/build           working copy of a build
    build.log         what the last build printed
    a/ID/work         outputs of attempt ID that are too large for a message; {out} of a job with a directory
    a/ID/out, err     its stdout and stderr
    a/ID/aside        files of the user that lay where attempt ID writes in the directory of its job; aside.json names them
    a/ID/range        what it has not begun of its range, where its program says so
    a/ID/progress     how far it is, where its program says so
    a/ID/values       intermediate values, where its program reports some
    a/ID/failure      why it failed, where its program says so
    a/ID/state        where its program saves its state; at first what an earlier attempt saved
    a/ID/saved/N      states that it has saved, for the coordinator to copy
    a/ID/chunk.json   its arguments and variables for a warm worker; chunk.sh: the same for a shell
    lib/muster.py     the worker library
    store/SHA256      staged files: links to contents of the cache
    done.ndjson       results that nobody has acknowledged, and which attempts started
    launching.ndjson  attempts that are about to start
    owner             nonce of the coordinator that the folder belongs to
    life              how long the folder may stay after a reboot
    agent.lock        held while somebody looks for the daemon or starts it
    agent.sock        where attach connects
    agent.log         errors of the daemon
"""
import sys
from importlib.machinery import ModuleSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, Dict, Optional

    PARTS: Dict[str, str] = {}


class PartsImporter:
    """Imports modules from PARTS. A package is a name that other names begin with."""

    @staticmethod
    def find_spec(name: str, path: "Any" = None, target: "Any" = None) -> "Optional[ModuleSpec]":
        if name not in PARTS:
            return None
        is_package = any(other.startswith(name + ".") for other in PARTS)
        return ModuleSpec(name, PartsImporter, is_package=is_package)  # type: ignore[arg-type]

    @staticmethod
    def get_source(name: str) -> str:
        return PARTS[name]

    @staticmethod
    def create_module(spec: ModuleSpec) -> None:
        return None

    @staticmethod
    def exec_module(module: "ModuleType") -> None:
        name = module.__name__
        exec(compile(PARTS[name], name + ".py", "exec"), module.__dict__)


sys.meta_path.insert(0, PartsImporter)

from muster_agent.attach import main  # noqa: E402

sys.exit(main(sys.argv[1:]))

"""muster's agent: runs the chunks of one run on one node. Python 3.8+, standard library only, Linux.

It comes over the channel that it then speaks on (templates.ts) and is never stored; PARTS holds the sources of muster_agent/
by module name. `attach ROOT` hands its stdin and stdout to the run's daemon (started if there is none) and waits; the daemon
speaks JSON lines over them (executor/run/agent/protocol.ts) and outlives the connection. `clean ROOT` ends what is left of a run
without its daemon. ROOT is the run's folder on the node:

    a/ID/work     working directory of attempt ID      a/ID/out    its stdout (and err)
    store/SHA256  staged files                         agent.sock  where attach knocks
    agent.log     troubles of the daemon               life        how long all this may stay after a reboot
    done.ndjson   results that nobody has acknowledged yet, and what was started
    launching.ndjson  what is about to be started
"""
import sys
from importlib.machinery import ModuleSpec


class Parts:
    """Imports the agent's modules from memory."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        return ModuleSpec(name, Parts, is_package=name == "muster_agent") if name in PARTS else None  # noqa: F821

    @staticmethod
    def create_module(spec):
        return None

    @staticmethod
    def exec_module(module):
        name = module.__name__
        exec(compile(PARTS[name], name + ".py", "exec"), module.__dict__)  # noqa: F821


sys.meta_path.insert(0, Parts)

from muster_agent.attach import main  # noqa: E402

sys.exit(main(sys.argv[1:]))

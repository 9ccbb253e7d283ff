"""From an attempt to a running program."""
import errno
import os
import signal

from .logs import open_logs
from .ranges import file_of
from .wire import raw

DEFAULT_PATH = b"/usr/local/bin:/usr/bin:/bin"
RESET_SIGNALS = [signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGCHLD]


class Spawner:
    """Lays out working directories and starts programs in them. `doing`: what it was about, for the sake of an error."""

    def __init__(self, settings, store, cards):
        self.settings, self.store, self.cards = settings, store, cards
        self.root_fd = os.open(settings.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.programs = {}
        self.doing = ""

    def spawn(self, slot, attempt):
        """Gives the attempt its process; OSError, ValueError or UnicodeError when it cannot have one."""
        try:
            self.lay_out(attempt)
            argv = attempt.spec.argv + [raw(word) for word in attempt.args]
            self.doing = "{} could not be started".format(argv[0].decode("utf-8", "replace"))
            env = self.environment(slot, attempt)
            attempt.pid = launch(self.program(argv[0], env), argv, env, attempt)
        finally:
            os.fchdir(self.root_fd)

    def lay_out(self, attempt):
        """Makes the attempt's folder and goes to its working directory."""
        spec, folder = attempt.spec, attempt.folder
        self.doing = "the attempt's folder {} could not be made".format(os.path.join(self.settings.root, folder))
        os.mkdir(folder, 0o700)
        open_logs(attempt)
        os.mkdir(folder + "/work", 0o700)
        os.chdir(folder + "/work")
        for name in spec.folders:
            os.mkdir(name, 0o700)
        for name, sha, mode, owned in spec.files:
            self.doing = "the staged file {} could not be put into the working directory".format(name.decode("utf-8", "replace"))
            self.store.place(sha, mode, name, owned)

    def environment(self, slot, attempt):
        base = attempt.spec.environments.get(slot.number)
        if base is None:
            base = dict(self.settings.base_env)
            base.update(attempt.spec.env)
            base.update(slot.env)
            base[b"MUSTER_SLOT"] = b"%d" % slot.number
            attempt.spec.environments[slot.number] = base
        env = base.copy()
        env.update(self.cards.binding(slot.gpu))
        env[b"MUSTER_ATTEMPT"] = raw(attempt.id)
        env[b"MUSTER_CHUNK"] = raw(attempt.chunk)
        env[b"MUSTER_RANGE"] = os.fsencode(file_of(self.settings.root + "/" + attempt.folder))
        return env

    def program(self, name, env):
        """Where a program lies: by the PATH that the chunk will have, or, with a slash, from its working directory."""
        if b"/" in name:
            return name
        path = env.get(b"PATH", DEFAULT_PATH)
        found = self.programs.get((name, path))
        if found is None:
            for folder in path.split(b":"):
                found = os.path.join(folder or b".", name)
                if os.path.isfile(found) and os.access(found, os.X_OK):
                    break
            else:
                own = path == os.environb.get(b"PATH", DEFAULT_PATH)  # values of `env` are shown nowhere
                shown = path.decode("utf-8", "replace") if own else "(as env sets it)"
                raise FileNotFoundError(errno.ENOENT, "no such program in PATH=" + shown)
            if found.startswith(b"/"):
                self.programs[(name, path)] = found
        return found


def launch(path, argv, env, attempt):
    """The process id of the program, which leads a group of its own and writes to the attempt's logs."""
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, attempt.out, 1),
        (os.POSIX_SPAWN_DUP2, attempt.err, 2),
    ]
    try:
        return os.posix_spawn(path, argv, env, file_actions=actions, setsid=True, setsigmask=[], setsigdef=RESET_SIGNALS)
    except NotImplementedError:
        return os.posix_spawn(path, argv, env, file_actions=actions, setpgroup=0, setsigmask=[], setsigdef=RESET_SIGNALS)

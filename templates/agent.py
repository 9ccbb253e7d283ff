#!/usr/bin/env python3
"""muster's agent: runs the chunks of one run on one node. Python 3.8+, standard library only, Linux.

    python3 agent.py attach ROOT

ROOT is the run's folder on the node. `attach` hands its stdin and stdout to the run's daemon (started if there is none) and
waits; the daemon speaks JSON lines over them (executor/run/protocol.ts) and outlives the connection. Everything lies in ROOT:

    store/SHA256   staged files            a/ID/work    working directory of attempt ID
    agent.sock     where attach knocks     a/ID/out     its stdout (and err)
    agent.log      troubles of the daemon  done.ndjson  results that nobody has acknowledged yet, and what was started
"""
import array
import base64
import errno
import fcntl
import hashlib
import json
import os
import re
import selectors
import signal
import socket
import stat
import sys
import time
from collections import deque

TERM_SECONDS = 5.0  # between TERM and KILL
DEATH_SECONDS = 10.0  # after KILL; what lives longer breaks the slot
UNOPENED_LEASE = 120.0  # life of a daemon that nobody has opened
LOCK_RETRY = 0.5
LOCK_TURN = 5.0  # how long a GPU is kept at least while another run waits for it
LOCK_PAUSE = 1.0  # how long it is then left alone, so that the other run's retry finds it free
BIG_FILE = 1 << 20  # larger ones are hashed in the helper thread
MAX_LINE = 64 << 20
MAX_UNSENT = 64 << 20
TAIL = 2048
JOURNAL_SLACK = 4 << 20
LOG_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
SAFE_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}\Z")
RESET_SIGNALS = [signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGCHLD]

to_json = json.JSONEncoder(separators=(",", ":")).encode
now = time.monotonic


def raw(text):
    """The bytes of a text of the protocol, whatever the node's locale is."""
    return text.encode("utf-8", "surrogateescape")


def raw_env(env):
    return {raw(name): raw(value) for name, value in env.items()}


def explain(error, doing):
    """One line for people: what was being done, where, and why it failed."""
    reason = getattr(error, "strerror", None) or str(error)
    where = getattr(error, "filename", None)
    if isinstance(where, bytes):
        where = where.decode("utf-8", "replace")
    return "{}: {}{}".format(doing, reason, " ({})".format(where) if where else "")


def remove_tree(path):
    """Deletes a folder, also where a chunk took away its own permissions. What stays, stays."""
    import shutil

    def retry(function, name, _):
        try:
            os.chmod(os.path.dirname(name), 0o700)
            os.chmod(name, 0o700)
            function(name)
        except OSError:
            pass

    shutil.rmtree(path, onerror=retry)


def relative(path):
    """A path that stays inside the working directory, as bytes."""
    name = raw(path)
    if not name or name.startswith(b"/") or b".." in name.split(b"/") or b"\0" in name:
        raise ValueError("unsafe path " + repr(path))
    return os.path.normpath(name)


class Spec:
    """What many attempts have in common, prepared once."""

    def __init__(self, data):
        self.argv = [raw(word) for word in data["argv"]]
        self.env = raw_env(data["env"])
        self.outputs = [(path, relative(path)) for path in data["outputs"]]
        owned = {name for _, name in self.outputs}
        self.files = [(relative(path), sha, mode, relative(path) in owned) for path, sha, mode in data["files"]]
        self.timeout = data.get("timeout")
        self.folders = self._folders()
        self.environments = {}

    def _folders(self):
        """Folders that must exist before the start, parents first."""
        found = set()
        for name in [name for _, name in self.outputs] + [name for name, _, _, _ in self.files]:
            parent = os.path.dirname(name)
            while parent:
                found.add(parent)
                parent = os.path.dirname(parent)
        return sorted(found)


class Attempt:
    """One execution. `phase`: queued, running, terminating, killed (signals sent), sweeping (leader gone), ended, done."""

    __slots__ = (
        "id", "chunk", "slot", "spec", "args", "phase", "pid", "out", "err", "began", "seconds", "alarm",
        "timeout", "canceled", "status", "rss", "outputs", "missing", "line",
    )  # fmt: skip

    def __init__(self, id, chunk, slot, spec, args):
        self.id, self.chunk, self.slot, self.spec, self.args = id, chunk, slot, spec, args
        self.phase = "queued"
        self.pid = self.out = self.err = self.alarm = self.status = self.line = None
        self.began = self.seconds = 0.0
        self.timeout = self.canceled = False
        self.rss = 0
        self.outputs, self.missing = [], []

    @property
    def folder(self):
        return "a/" + self.id

    def done(self, error=None):
        """The `done` message, as far as it is known without logs."""
        exit_code = signal_number = None
        if self.status is not None:
            if os.WIFSIGNALED(self.status):
                signal_number = os.WTERMSIG(self.status)
            else:
                exit_code = os.WEXITSTATUS(self.status)
        message = {
            "ev": "done", "id": self.id, "chunk": self.chunk, "slot": self.slot, "exit": exit_code,
            "signal": signal_number, "timeout": self.timeout, "canceled": self.canceled,
            "seconds": round(self.seconds, 6), "rss": self.rss, "outputs": self.outputs, "missing": self.missing,
            "stdout": {"size": 0, "data": ""}, "stderr": {"size": 0, "data": ""}, "tail": "",
        }  # fmt: skip
        if error is not None:
            message["error"] = error
        return message


class Slot:
    """What runs one attempt at a time, in the order they came."""

    def __init__(self, number):
        self.number = number
        self.env = {}
        self.lock = None
        self.queue = deque()
        self.current = None
        self.broken = None
        self.waiting = False  # it stands in the agent's line of slots that may start


class Store:
    """Staged files. They are linked into working directories read-only, so that no chunk changes another's input."""

    def __init__(self, root):
        self.folder = os.path.join(root, "store")
        self.modes = {}

    def name(self, sha, mode):
        """The stored file of this content and mode (a mode belongs to a file, so a second mode needs a copy)."""
        mode = mode & 0o555 | 0o400
        path = os.path.join(self.folder, sha)
        known = self.modes.get(sha)
        if known is None:
            os.chmod(path, mode)
            self.modes[sha] = mode
        elif known != mode:
            copy = "{}.{:o}".format(path, mode)
            if not os.path.exists(copy):
                copy_file(path, copy, mode)
            return copy
        return path

    def place(self, sha, mode, target, owned):
        """Puts it at `target`; as a copy of its own where the chunk will write it, or where links do not work."""
        if owned:
            return copy_file(os.path.join(self.folder, sha), target, mode | 0o600)
        source = self.name(sha, mode)
        try:
            os.link(source, target)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP):
                raise
            copy_file(source, target, mode)


def copy_file(source, target, mode):
    """Copies by way of a temporary name, so that a half copy is never taken for a whole one."""
    partial = os.fsencode(target) + b".part"
    with open(source, "rb") as reader, open(partial, "wb") as writer:
        for block in iter(lambda: reader.read(1 << 20), b""):
            writer.write(block)
        os.fchmod(writer.fileno(), mode)
    os.rename(partial, os.fsencode(target))


class Journal:
    """done.ndjson: started attempts and results. One write and one fsync for all that ended together."""

    def __init__(self, name="done.ndjson"):
        self.fd = os.open(name, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.size = os.fstat(self.fd).st_size
        self.lines = []
        self.durable = False

    def started(self, attempt):
        self.lines.append(raw(to_json({"start": attempt.id, "chunk": attempt.chunk, "slot": attempt.slot})) + b"\n")

    def ended(self, attempt):
        self.lines.append(attempt.line)
        self.durable = True

    def commit(self):
        """Writes what has gathered. After an OSError nothing of it is in the file."""
        data, durable = b"".join(self.lines), self.durable
        self.lines, self.durable = [], False
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self.fd, view):]  # fmt: skip
            if durable:
                os.fdatasync(self.fd)
        except OSError:
            os.ftruncate(self.fd, self.size)
            raise
        self.size += len(data)

    def compact(self, attempts):
        """Rewrites the file with what still counts, once it has grown well past that."""
        if self.size < JOURNAL_SLACK or self.size < 4 * sum(len(attempt.line or b"") for attempt in attempts):
            return
        fresh = Journal("done.ndjson.new")
        os.ftruncate(fresh.fd, 0)
        for attempt in attempts:
            if attempt.line is not None:
                fresh.ended(attempt)
            elif attempt.pid is not None:
                fresh.started(attempt)
        try:
            fresh.commit()
            os.rename("done.ndjson.new", "done.ndjson")
            self.fd, fresh.fd, self.size = fresh.fd, self.fd, fresh.size
        finally:
            os.close(fresh.fd)

    def read(self):
        """(results, starts without a result) by id; a torn last line is passed over."""
        results, starts = {}, {}
        with open("done.ndjson", "rb") as file:
            for line in file:
                try:
                    record = json.loads(line)
                except ValueError:
                    continue
                if "start" in record:
                    starts[record["start"]] = record
                else:
                    results[record["id"]] = (record, line)
        return results, {id: start for id, start in starts.items() if id not in results}


class Processes:
    """The agent's children, and children's children that lost their parents."""

    def __init__(self, root):
        self.mark = b"MUSTER_ROOT=" + os.fsencode(root)
        self.adopts = become_subreaper()
        self.fd = None
        try:
            self.fd = os.open("/proc/self/task/{0}/children".format(os.getpid()), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            pass

    def children(self):
        """Process ids, zombies included."""
        if self.fd is not None and self.adopts:
            return [int(pid) for pid in os.pread(self.fd, 1 << 16, 0).split()]
        return [pid for pid in every_pid() if self.attempt_of(pid) is not None or parent_of(pid) == os.getpid()]

    def attempt_of(self, pid):
        """The attempt in whose environment a process of this run was started, or None."""
        try:
            with open("/proc/{}/environ".format(pid), "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            return None
        if self.mark not in words:
            return None
        for word in words:
            if word.startswith(b"MUSTER_ATTEMPT="):
                return word[15:].decode("ascii", "replace")
        return None


def become_subreaper():
    """Makes orphaned descendants our children (prctl PR_SET_CHILD_SUBREAPER); False where that cannot be had."""
    try:
        import ctypes

        return ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0) == 0
    except (ImportError, OSError, AttributeError):
        return False


def every_pid():
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]


def stat_fields(pid):
    """Fields of /proc/PID/stat from the third on (state, ppid, ...)."""
    with open("/proc/{}/stat".format(pid), "rb") as file:
        return file.read().rpartition(b")")[2].split()


def parent_of(pid):
    try:
        return int(stat_fields(pid)[1])
    except OSError:
        return None


def kill(pid, number, group=False):
    """False when there is nothing to signal any more."""
    try:
        (os.killpg if group else os.kill)(pid, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


class Helper:
    """One thread for what would hold up the loop. It must use absolute paths: the loop changes directory."""

    def __init__(self, wake):
        self.wake = wake
        self.jobs = None
        self.finished = deque()

    def submit(self, work, then):
        """Runs work() in the thread, then(result or OSError) in the loop."""
        if self.jobs is None:
            import queue
            import threading

            self.jobs = queue.SimpleQueue()
            threading.Thread(target=self._serve, daemon=True).start()
        self.jobs.put((work, then))

    def _serve(self):
        while True:
            work, then = self.jobs.get()
            try:
                result = work()
            except OSError as error:
                result = error
            self.finished.append((then, result))
            self.wake()

    def settle(self):
        while self.finished:
            then, result = self.finished.popleft()
            then(result)


def hash_file(fd):
    digest = hashlib.sha256()
    offset = 0
    while True:
        block = os.pread(fd, 1 << 20, offset)
        if not block:
            return offset, digest.hexdigest()
        digest.update(block)
        offset += len(block)


def open_output(work, name):
    """A descriptor of a regular file reached without any link, or None."""
    fd = None
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        *parents, last = name.split(b"/")
        for part in [os.fsencode(work)] + parents:
            inner = os.open(part, flags | os.O_DIRECTORY, dir_fd=fd)
            if fd is not None:
                os.close(fd)
            fd = inner
        file = os.open(last, flags, dir_fd=fd)
    except OSError:
        return None
    finally:
        if fd is not None:
            os.close(fd)
    if stat.S_ISREG(os.fstat(file).st_mode):
        return file
    os.close(file)
    return None


def cap_log(fd, limit):
    """Keeps the head and the tail of a log that grew past `limit`, and says so in between. O_APPEND makes this safe."""
    size = os.fstat(fd).st_size
    if size <= limit:
        return
    quarter = limit // 4
    tail = os.pread(fd, quarter, size - quarter)
    os.ftruncate(fd, max(0, limit - quarter - 100))
    note = "\n[muster: this log grew past {} bytes; what stood here was dropped]\n".format(limit)
    os.write(fd, raw(note) + tail)


class Coordinator:
    """The far side: the two descriptors that `attach` passed, and its socket, which ends it when closed."""

    def __init__(self, link, reader, writer):
        self.link, self.reader, self.writer = link, reader, writer
        os.set_blocking(reader, False)
        os.set_blocking(writer, False)
        self.partial = b""
        self.unsent = b""
        self.fresh = []

    def receive(self):
        """Whole lines that have come, or None at the end."""
        try:
            data = os.read(self.reader, 1 << 18)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not data:
            return None
        lines = (self.partial + data).split(b"\n")
        self.partial = lines.pop()
        if len(self.partial) > MAX_LINE:
            return None
        return lines

    def flush(self):
        """Writes what fits. True while some is left; OSError when nobody reads any more."""
        if self.fresh:
            self.unsent += b"".join(self.fresh)
            self.fresh = []
        while self.unsent:
            try:
                self.unsent = self.unsent[os.write(self.writer, self.unsent[: 1 << 18]) :]  # fmt: skip
            except BlockingIOError:
                if len(self.unsent) > MAX_UNSENT:
                    raise OSError(errno.ENOBUFS, "the coordinator does not read")
                return True
        return False

    def close(self):
        os.close(self.reader)
        os.close(self.writer)
        self.link.close()


class GpuLock:
    """A GPU of the node, held by a kernel object that goes with its process: an abstract socket's name."""

    def __init__(self, agent, name):
        self.agent = agent
        self.address = "\0muster/{}/gpu/{}".format(agent.boot, name).encode()
        self.held = None
        self.since = self.retry = 0.0
        self.wanted = False
        self.question = None
        self.blocked = False

    def acquire(self):
        """True when it is ours now. Otherwise `retry` says when to try again."""
        if self.held:
            return True
        if now() < self.retry:
            return False
        held = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            held.bind(self.address)
        except OSError:
            held.close()
            self.retry = now() + LOCK_RETRY
            return False
        held.listen(16)
        held.setblocking(False)
        self.held, self.since, self.wanted = held, now(), False
        self.forget_question()
        self.agent.selector.register(held, selectors.EVENT_READ, self.answer)
        return True

    def answer(self, _):
        """Tells another run who holds the GPU, and remembers that it waits."""
        try:
            asker, _address = self.held.accept()
        except OSError:
            return
        self.wanted = True
        with asker:
            asker.setblocking(False)
            try:
                asker.send(raw(self.agent.run_name)[:200])
            except OSError:
                pass

    def holder(self):
        """Who holds it, as far as the answer to the question of the last try tells; None at the first try."""
        name = None
        if self.question:
            try:
                name = self.question.recv(200).decode("utf-8", "replace")
            except OSError:
                name = ""
        self.forget_question()
        self.question = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.question.setblocking(False)
        try:
            self.question.connect(self.address)
        except OSError:
            self.forget_question()
        return name

    def forget_question(self):
        if self.question:
            self.question.close()
            self.question = None

    def turn_over(self):
        return self.wanted and now() - self.since >= LOCK_TURN

    def release(self, pause=0.0):
        self.forget_question()
        if self.held:
            self.agent.selector.unregister(self.held)
            self.held.close()
            self.held = None
            self.retry = now() + pause


class Agent:
    """The daemon: one loop, no waiting anywhere in it."""

    def __init__(self, root, listener):
        self.root = root
        self.root_fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        with open("/proc/sys/kernel/random/boot_id") as file:
            self.boot = file.read().strip()
        self.run_name = os.path.basename(root)
        self.settings = {"inline": 4096, "log": 1 << 26, "lease": UNOPENED_LEASE}
        self.max = None
        self.base_env = {}
        self.slots, self.specs, self.attempts = {}, {}, {}
        self.by_pid = {}  # living leaders
        self.active = {}  # id -> attempt that occupies its slot
        self.sweeping, self.ended, self.trash = [], [], []
        self.ready = deque()
        self.strays, self.undead, self.programs = {}, set(), {}
        self.coordinator = None
        self.away_since = now()
        self.next_second = 0.0
        self.child_ended = True
        self.stopping = False
        self.selector = selectors.PollSelector()
        self._wake_up()
        self.helper = Helper(lambda: os.write(self.wake_fd, b"\0"))
        self.processes = Processes(root)
        self.store = Store(root)
        self.journal = Journal()
        self.recover()
        self.selector.register(listener, selectors.EVENT_READ, lambda _: self.accept(listener))

    def _wake_up(self):
        reader, self.wake_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self.wake_fd, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self.terminated)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

        def woken(_):
            os.read(reader, 4096)
            self.child_ended = True

        self.selector.register(reader, selectors.EVENT_READ, woken)

    def terminated(self, *_):
        """The node shuts down, most likely: leave nothing running, keep the results."""
        self.kill_everything()
        os._exit(0)

    # -- the loop

    def loop(self):
        while not self.stopping:
            for key, mask in self.selector.select(self.patience()):
                key.data(mask)
            self.helper.settle()
            if self.child_ended:
                self.child_ended = False
                self.reap()
            self.watch_time()
            if self.sweeping:
                self.sweep()
            self.start_ready()
            self.conclude_ended()
            self.commit()
            self.flush()
            self.empty_trash()

    def patience(self):
        """Seconds until something is due."""
        if self.trash:
            return 0
        due = [attempt.alarm for attempt in self.active.values() if attempt.alarm is not None]
        if self.active:
            due.append(self.next_second)
        if self.sweeping:
            due.append(now() + 0.05)
        if self.coordinator is None:
            due.append(self.away_since + self.settings["lease"])
        if not self.full():
            due.extend(slot.lock.retry for slot in self.ready if slot.lock and not slot.lock.held)
        return max(0.0, min(due) - now()) if due else None

    def watch_time(self):
        time_now = now()
        for attempt in list(self.active.values()):
            if attempt.alarm is not None and attempt.alarm <= time_now:
                self.alarm(attempt)
        if time_now >= self.next_second:
            self.next_second = time_now + 1
            for attempt in self.active.values():
                self.cap_logs(attempt)
        if self.coordinator is None and time_now >= self.away_since + self.settings["lease"]:
            self.kill_everything()
            self.delete_root()
            self.stopping = True

    # -- the coordinator

    def accept(self, listener):
        try:
            link, _ = listener.accept()
            link.settimeout(5)
            _, ancillary, _, _ = link.recvmsg(16, socket.CMSG_SPACE(8))
        except OSError:
            return
        fds = array.array("i")
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
        if len(fds) != 2:
            for fd in fds:
                os.close(fd)
            return link.close()
        if self.coordinator:
            self.send({"ev": "problem", "message": "another coordinator took over this run"})
            self.detach()
        self.coordinator = Coordinator(link, *fds)
        self.selector.register(self.coordinator.reader, selectors.EVENT_READ, self.receive)
        self.greet()

    def greet(self):
        held = [
            {"id": a.id, "chunk": a.chunk, "slot": a.slot, "state": {"queued": "queued", "done": "done"}.get(a.phase, "running")}
            for a in self.attempts.values()
        ]  # fmt: skip
        started = int(stat_fields("self")[19])
        self.send({"ev": "hello", "muster": 1, "boot": self.boot, "pid": os.getpid(), "started": started, "root": self.root, "held": held})  # fmt: skip
        for attempt in self.attempts.values():
            if attempt.line is not None:
                self.coordinator.fresh.append(attempt.line)
        for slot in self.slots.values():
            if slot.broken:
                self.send({"ev": "broken", "slot": slot.number, "reason": slot.broken})
            if slot.lock:
                slot.lock.blocked = False

    def send(self, message):
        if self.coordinator:
            self.coordinator.fresh.append(raw(to_json(message)) + b"\n")

    def flush(self, _=None):
        if self.coordinator is None:
            return
        try:
            left = self.coordinator.flush()
        except OSError:
            return self.detach()
        writer = self.coordinator.writer
        if left and writer not in self.selector.get_map():
            self.selector.register(writer, selectors.EVENT_WRITE, self.flush)
        elif not left and writer in self.selector.get_map():
            self.selector.unregister(writer)

    def detach(self):
        """The coordinator is away: go on, and keep what ends."""
        gone, self.coordinator = self.coordinator, None
        self.away_since = now()
        try:
            gone.flush()
        except OSError:
            pass
        for fd in (gone.reader, gone.writer):
            if fd in self.selector.get_map():
                self.selector.unregister(fd)
        gone.close()

    def receive(self, _):
        lines = self.coordinator.receive()
        if lines is None:
            return self.detach()
        for line in lines:
            try:
                message = json.loads(line)
                getattr(self, "do_" + message["op"])(message)
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                self.send({"ev": "problem", "message": "a line was not understood: {!r}: {!r}".format(error, line[:200])})
            if self.stopping:
                return

    def do_open(self, message):
        self.run_name = str(message["run"])
        self.settings = {name: message[name] for name in ("lease", "inline", "log")}
        self.max = message.get("max")
        self.base_env = {name: value for name, value in os.environb.items() if not name.startswith(b"SSH_")}
        self.base_env.update(raw_env(message["env"]))
        self.base_env[b"MUSTER_ROOT"] = os.fsencode(self.root)
        for setup in message["slots"]:
            slot = self.slots.setdefault(setup["slot"], Slot(setup["slot"]))
            slot.env = raw_env(setup["env"])
            if slot.lock is None and setup.get("lock"):
                slot.lock = GpuLock(self, setup["lock"])
        for spec in self.specs.values():
            spec.environments.clear()

    def do_spec(self, message):
        self.specs[message["id"]] = Spec(message["spec"])

    def do_start(self, message):
        id, given = message["id"], message["spec"]
        if not SAFE_ID.match(id):
            raise ValueError("unsafe attempt id")
        known = self.attempts.get(id)
        if known:
            if known.line is not None and self.coordinator:
                self.coordinator.fresh.append(known.line)
            return
        spec = self.specs.get(given) if isinstance(given, str) else Spec(given)
        attempt = Attempt(id, message["chunk"], message["slot"], spec, message["args"])
        self.attempts[id] = attempt
        slot = self.slots.get(attempt.slot)
        if spec is None:
            self.fail(attempt, "the agent was never told the spec " + repr(given))
        elif slot is None:
            self.fail(attempt, "this node has no slot {}".format(attempt.slot))
        elif slot.broken:
            self.fail(attempt, "slot {} is out of use: {}".format(slot.number, slot.broken))
        else:
            slot.queue.append(attempt)
            self.line_up(slot)

    def do_ack(self, message):
        for id in message["ids"]:
            attempt = self.attempts.get(id)
            if attempt and attempt.phase == "done":
                del self.attempts[id]
                self.trash.append(attempt)

    def do_cancel(self, message):
        for id in message["ids"]:
            attempt = self.attempts.get(id)
            if attempt is None:
                continue
            if attempt.phase == "queued":
                self.slots[attempt.slot].queue.remove(attempt)
                attempt.canceled = True
                self.fail(attempt, None)
            elif attempt.phase == "running":
                attempt.canceled = True
                self.terminate(attempt)

    def do_stop(self, _):
        self.kill_everything()
        self.delete_root()
        self.send({"ev": "bye"})
        deadline = now() + TERM_SECONDS
        while self.coordinator and now() < deadline:
            self.flush()
            if self.coordinator and not self.coordinator.unsent:
                self.detach()
            time.sleep(0.001)
        self.stopping = True

    # -- starting

    def line_up(self, slot):
        """Lets an idle slot with work wait for its turn."""
        if slot.queue and slot.current is None and not slot.waiting:
            slot.waiting = True
            self.ready.append(slot)

    def full(self):
        return self.max is not None and len(self.active) >= self.max

    def start_ready(self):
        for _ in range(len(self.ready)):
            if self.full():
                return
            slot = self.ready.popleft()
            if slot.queue and not slot.broken and not self.may_use(slot):
                self.ready.append(slot)
                continue
            slot.waiting = False
            while slot.queue and slot.current is None and not slot.broken:
                self.start(slot, slot.queue.popleft())
            if slot.current is None:
                self.leave(slot)

    def may_use(self, slot):
        """Whether the slot's GPU is ours; tells the coordinator when that changes."""
        lock = slot.lock
        if lock is None or lock.held:
            return True
        if now() < lock.retry:
            return False
        if lock.acquire():
            if lock.blocked:
                lock.blocked = False
                self.send({"ev": "slot", "slot": slot.number})
            return True
        holder = lock.holder()
        if holder is not None and not lock.blocked:
            lock.blocked = True
            self.send({"ev": "slot", "slot": slot.number, "holder": holder or "a program that does not answer"})
        return False

    def leave(self, slot):
        """The slot has nothing at work: give its GPU away when it has nothing to do, or when others had to wait long."""
        if slot.lock and (not slot.queue or slot.broken):
            slot.lock.release()
        elif slot.lock and slot.lock.turn_over():
            slot.lock.release(LOCK_PAUSE)

    def start(self, slot, attempt):
        try:
            self.spawn(slot, attempt)
        except (OSError, ValueError, UnicodeError) as error:
            self.close_logs(attempt)
            return self.fail(attempt, attempt.phase + explain(error, ""))
        finally:
            os.fchdir(self.root_fd)
        attempt.began = now()
        attempt.phase = "running"
        if attempt.spec.timeout is not None:
            attempt.alarm = attempt.began + attempt.spec.timeout
        slot.current = attempt
        self.active[attempt.id] = attempt
        self.by_pid[attempt.pid] = attempt
        self.journal.started(attempt)
        self.send({"ev": "started", "id": attempt.id})

    def spawn(self, slot, attempt):
        """Lays out the working directory and starts the program in it. On an error `phase` says what was being done."""
        spec, folder = attempt.spec, attempt.folder
        attempt.phase = "the attempt's folder {} could not be made".format(os.path.join(self.root, folder))
        os.mkdir(folder, 0o700)
        attempt.out = os.open(folder + "/out", LOG_FLAGS, 0o600)
        attempt.err = os.open(folder + "/err", LOG_FLAGS, 0o600)
        os.mkdir(folder + "/work", 0o700)
        os.chdir(folder + "/work")
        for name in spec.folders:
            os.mkdir(name, 0o700)
        for name, sha, mode, owned in spec.files:
            attempt.phase = "the staged file {} could not be put into the working directory".format(name.decode("utf-8", "replace"))
            self.store.place(sha, mode, name, owned)
        argv = spec.argv + [raw(word) for word in attempt.args]
        attempt.phase = "{} could not be started".format(argv[0].decode("utf-8", "replace"))
        env = self.environment(slot, attempt)
        attempt.pid = self.launch(self.program(argv[0], env), argv, env, attempt)

    def environment(self, slot, attempt):
        base = attempt.spec.environments.get(slot.number)
        if base is None:
            base = dict(self.base_env)
            base.update(attempt.spec.env)
            base.update(slot.env)
            base[b"MUSTER_SLOT"] = b"%d" % slot.number
            attempt.spec.environments[slot.number] = base
        env = base.copy()
        env[b"MUSTER_ATTEMPT"] = raw(attempt.id)
        env[b"MUSTER_CHUNK"] = raw(attempt.chunk)
        return env

    def program(self, name, env):
        """Where a program lies: by the PATH that the chunk will have, or, with a slash, from its working directory."""
        if b"/" in name:
            return name
        path = env.get(b"PATH", b"/usr/local/bin:/usr/bin:/bin")
        found = self.programs.get((name, path))
        if found is None:
            for folder in path.split(b":"):
                found = os.path.join(folder or b".", name)
                if os.path.isfile(found) and os.access(found, os.X_OK):
                    break
            else:
                raise FileNotFoundError(errno.ENOENT, "no such program in PATH=" + path.decode("utf-8", "replace"))
            if found.startswith(b"/"):
                self.programs[(name, path)] = found
        return found

    def launch(self, path, argv, env, attempt):
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, attempt.out, 1),
            (os.POSIX_SPAWN_DUP2, attempt.err, 2),
        ]
        try:
            return os.posix_spawn(path, argv, env, file_actions=actions, setsid=True, setsigmask=[], setsigdef=RESET_SIGNALS)
        except NotImplementedError:
            return os.posix_spawn(path, argv, env, file_actions=actions, setpgroup=0, setsigmask=[], setsigdef=RESET_SIGNALS)

    # -- ending

    def terminate(self, attempt):
        attempt.phase, attempt.alarm = "terminating", now() + TERM_SECONDS
        kill(attempt.pid, signal.SIGTERM, group=True)

    def alarm(self, attempt):
        """Its time is up, once more."""
        if attempt.phase == "running":
            attempt.timeout = True
            self.terminate(attempt)
        elif attempt.phase == "terminating":
            attempt.phase, attempt.alarm = "killed", now() + DEATH_SECONDS
            kill(attempt.pid, signal.SIGKILL, group=True)
        else:
            self.give_up(attempt)

    def give_up(self, attempt):
        """Something does not die even from KILL (a hung driver, most likely): nothing may run on this slot any more."""
        slot = self.slots[attempt.slot]
        slot.broken = "processes of attempt {} do not die {:.0f} s after KILL".format(attempt.id, DEATH_SECONDS)
        self.undead.update(self.leftovers(attempt), [attempt.pid])
        self.by_pid.pop(attempt.pid, None)
        self.leave_slot(attempt)
        self.send({"ev": "broken", "slot": slot.number, "reason": slot.broken})
        self.close_logs(attempt)
        self.fail(attempt, slot.broken)
        while slot.queue:
            self.fail(slot.queue.popleft(), "slot {} is out of use: {}".format(slot.number, slot.broken))

    def reap(self):
        """Takes the ended children. A leader's group is killed while its zombie still keeps the number from being reused."""
        while True:
            try:
                info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if info is None:
                return
            attempt = self.by_pid.pop(info.si_pid, None)
            if attempt:
                kill(info.si_pid, signal.SIGKILL, group=True)
            _, status, usage = os.wait4(info.si_pid, 0)
            self.undead.discard(info.si_pid)
            if attempt:
                attempt.seconds = now() - attempt.began
                attempt.status, attempt.rss = status, usage.ru_maxrss * 1024
                attempt.phase, attempt.alarm = "sweeping", now() + DEATH_SECONDS
                self.sweeping.append(attempt)

    def sweep(self):
        """Lets go of attempts of which no process is left."""
        remaining = []
        for attempt in self.sweeping:
            if attempt.phase != "sweeping":
                continue
            rest = self.leftovers(attempt)
            for pid in rest:
                kill(pid, signal.SIGKILL)
            if kill(attempt.pid, signal.SIGKILL, group=True) or rest:
                remaining.append(attempt)
                continue
            attempt.phase, attempt.alarm = "ended", None
            self.leave_slot(attempt)
            self.ended.append(attempt)
        self.sweeping = remaining

    def leftovers(self, attempt):
        """Processes of an attempt whose leader is gone: by their environment; those that cleared it belong to the last
        attempt that was active when they were first seen."""
        pids = self.processes.children()
        if len(pids) == len(self.by_pid):
            self.strays.clear()
            return []
        found = []
        for pid in set(pids) - self.by_pid.keys() - self.undead:
            owner = self.processes.attempt_of(pid)
            if owner in self.active:
                witnesses = {owner}
            else:
                witnesses = self.strays.setdefault(pid, set(self.active))
                witnesses &= self.active.keys()
            if witnesses <= {attempt.id}:
                found.append(pid)
        return found

    def leave_slot(self, attempt):
        slot = self.slots[attempt.slot]
        slot.current = None
        self.active.pop(attempt.id, None)
        self.leave(slot)
        self.line_up(slot)

    def cap_logs(self, attempt):
        try:
            cap_log(attempt.out, self.settings["log"])
            cap_log(attempt.err, self.settings["log"])
        except OSError as error:
            self.send({"ev": "problem", "message": explain(error, "the logs of {} could not be capped".format(attempt.id))})

    def close_logs(self, attempt):
        for fd in (attempt.out, attempt.err):
            if fd is not None:
                os.close(fd)
        attempt.out = attempt.err = None

    # -- results

    def conclude_ended(self):
        ended, self.ended = self.ended, []
        for attempt in ended:
            try:
                big = self.collect(attempt)
            except OSError as error:
                self.report(attempt, explain(error, "the outputs could not be read"))
                continue
            if not big:
                self.report(attempt)
                continue

            def then(result, attempt=attempt, big=big):
                for (path, fd), measured in zip(big, result if isinstance(result, list) else []):
                    attempt.outputs.append({"path": path, "size": measured[0], "sha256": measured[1]})
                for _, fd in big:
                    os.close(fd)
                self.report(attempt, explain(result, "an output could not be read") if isinstance(result, OSError) else None)

            self.helper.submit(lambda big=big: [hash_file(fd) for _, fd in big], then)

    def collect(self, attempt):
        """Looks at declared outputs; returns the open descriptors of those too big to be hashed here."""
        big = []
        for path, name in attempt.spec.outputs:
            fd = open_output(attempt.folder + "/work", name)
            if fd is None:
                attempt.missing.append(path)
                continue
            if os.fstat(fd).st_size > BIG_FILE:
                big.append((path, fd))
                continue
            data = os.read(fd, 2 * BIG_FILE)
            os.close(fd)
            entry = {"path": path, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            if len(data) <= self.settings["inline"]:
                entry["data"] = base64.b64encode(data).decode()
            attempt.outputs.append(entry)
        return big

    def report(self, attempt, error=None):
        message = attempt.done(error)
        self.cap_logs(attempt)
        try:
            self.report_logs(attempt, message)
        except OSError as problem:
            message.setdefault("error", explain(problem, "the logs could not be read"))
        self.close_logs(attempt)
        self.keep(attempt, message)

    def report_logs(self, attempt, message):
        for name, fd in (("stdout", attempt.out), ("stderr", attempt.err)):
            size = os.fstat(fd).st_size
            if size:
                message[name] = {"size": size}
                if size <= self.settings["inline"]:
                    message[name]["data"] = base64.b64encode(os.pread(fd, size, 0)).decode()
                if fd == attempt.err:
                    message["tail"] = os.pread(fd, TAIL, max(0, size - TAIL)).decode("utf-8", "replace")

    def fail(self, attempt, error):
        """The end of an attempt that never ran (or that cannot be ended)."""
        self.keep(attempt, attempt.done(error))

    def keep(self, attempt, message):
        attempt.phase, attempt.alarm = "done", None
        attempt.line = raw(to_json(message)) + b"\n"
        self.journal.ended(attempt)

    def commit(self):
        """Makes results durable here, then tells them."""
        if not self.journal.lines:
            return
        lines = [line for line in self.journal.lines if line.startswith(b'{"ev"')]
        try:
            self.journal.commit()
            self.journal.compact(self.attempts.values())
        except OSError as error:
            self.send({"ev": "problem", "message": explain(error, "results could not be saved in " + self.root)})
        if self.coordinator:
            self.coordinator.fresh.extend(lines)

    def empty_trash(self):
        """Deletes acknowledged attempts: by the names we know, and, where a chunk left more, by looking."""
        trash, self.trash = self.trash, []
        for attempt in trash:
            try:
                self.discard(attempt)
            except OSError:
                path = os.path.join(self.root, attempt.folder)
                self.helper.submit(lambda path=path: remove_tree(path), lambda _: None)

    def discard(self, attempt):
        folder = attempt.folder
        if attempt.spec is None or attempt.pid is None:
            if os.path.isdir(folder):
                remove_tree(folder)
            return
        work = os.fsencode(folder) + b"/work/"
        os.unlink(folder + "/out")
        os.unlink(folder + "/err")
        names = {name for name, _, _, _ in attempt.spec.files}
        names.update(raw(output["path"]) for output in attempt.outputs)
        for name in names:
            os.unlink(work + name)
        for name in reversed(attempt.spec.folders):
            os.rmdir(work + name)
        os.rmdir(work)
        os.rmdir(folder)

    # -- the end, and what came before

    def kill_everything(self):
        """KILLs all attempts and waits (at most DEATH_SECONDS) until no process of them is left."""
        deadline = now() + DEATH_SECONDS
        while now() < deadline:
            for pid in self.by_pid:
                kill(pid, signal.SIGKILL, group=True)
            pids = self.processes.children()
            for pid in pids:
                kill(pid, signal.SIGKILL)
            try:
                pid = os.waitpid(-1, os.WNOHANG)[0]
                while pid:
                    self.by_pid.pop(pid, None)
                    pid = os.waitpid(-1, os.WNOHANG)[0]
            except ChildProcessError:
                if not self.processes.children():
                    return
            time.sleep(0.005)

    def delete_root(self):
        """Deletes the run's folder, and the folders above it that muster made, when they are empty."""
        remove_tree(self.root)
        parent = os.path.dirname(self.root)
        try:
            if os.path.basename(parent) == "runs":
                os.rmdir(parent)
                os.rmdir(os.path.dirname(parent))
        except OSError:
            pass

    def recover(self):
        """Takes over what an agent that was killed left here: its results are kept, its processes are not."""
        os.makedirs("a", 0o700, exist_ok=True)
        left = set(os.listdir("a"))
        results, starts = self.journal.read()
        unfinished = left - results.keys()
        if unfinished:
            self.kill_of(unfinished)
        for id, (record, line) in results.items():
            if id in left:
                self.adopt(record, id).line = line
        for id in unfinished:
            remove_tree("a/" + id)
            if id in starts:
                attempt = self.adopt(starts[id], id)
                self.keep(attempt, dict(attempt.done("the agent on the node was killed while this ran"), lost=True))
        self.commit()

    def adopt(self, record, id):
        attempt = Attempt(id, record["chunk"], record["slot"], None, [])
        attempt.phase = "done"
        self.attempts[id] = attempt
        return attempt

    def kill_of(self, ids):
        deadline = now() + DEATH_SECONDS
        while now() < deadline:
            alive = [pid for pid in every_pid() if self.processes.attempt_of(pid) in ids]
            if not alive:
                return
            for pid in alive:
                kill(pid, signal.SIGKILL)
            time.sleep(0.01)


def knock():
    """A connection to the daemon of this folder, or None."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        link.connect("agent.sock")
        return link
    except (FileNotFoundError, ConnectionRefusedError):
        link.close()
        return None


def start_daemon(root):
    """Starts the daemon and waits until it listens; OSError when it does not come up."""
    ready, told = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        try:
            become_daemon(told)
            serve(root, told)
        except BaseException:
            import traceback

            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(1)
    os.close(told)
    os.wait()
    came_up = os.read(ready, 1)
    os.close(ready)
    if not came_up:
        raise OSError(errno.ECHILD, "the agent did not start; see agent.log", root)


def become_daemon(keep):
    """Lets go of everything that belongs to the connection."""
    null = os.open("/dev/null", os.O_RDWR)
    log = os.open("agent.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for target, source in ((0, null), (1, null), (2, log)):
        os.dup2(source, target)
    kept = {keep}
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in kept:
            try:
                os.close(int(name))
            except OSError:
                pass


def serve(root, told):
    if os.path.lexists("agent.sock"):
        os.unlink("agent.sock")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind("agent.sock")
    agent = Agent(root, listener)
    listener.listen(8)
    listener.setblocking(False)
    os.write(told, b"1")
    os.close(told)
    try:
        agent.loop()
    except BaseException:
        agent.kill_everything()
        raise
    os._exit(0)


def attach(root):
    """Gives our stdin and stdout to the run's daemon and waits until it lets go of them."""
    os.chdir(root)
    lock = os.open("agent.lock", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    link = knock()
    if link is None:
        start_daemon(root)
        link = knock()
    os.close(lock)
    if link is None:
        raise OSError(errno.ECONNREFUSED, "the agent does not answer", os.path.join(root, "agent.sock"))
    link.sendmsg([b"attach"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1]))])
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    link.recv(1)


def main(words):
    if len(words) != 2 or words[0] != "attach" or not os.path.isabs(words[1]):
        sys.stderr.write("usage: agent.py attach ROOT   (ROOT: the run's folder, absolute)\n")
        return 64
    try:
        attach(os.path.normpath(words[1]))
    except OSError as error:
        sys.stderr.write(explain(error, "muster agent") + "\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""muster's relay: programs and files of a machine over one channel. Python 3.8+, standard library only, Linux.

It is started where nothing but one program can be (a step of Slurm), arrives on its stdin (templates/nodeprograms.ts), and is never
stored. Over its stdin and stdout it then speaks in frames (frames.py). It ends when its stdin ends, or nobody reads its stdout.
It kills nothing then, as sshd does: the programs notice that their streams have ended. Files that were not complete are removed.

With `--job ID` it is in no step, but came over SSH: then it takes the environment of that allocation (allocation.py).

Its first frame, HELLO, holds {"version", "pid", "hostname", "environment"}: the variables of Slurm, and those that bind GPUs.
"""
from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import sys

from . import frames
from .allocation import AllocationError, enter_allocation
from .files import FileRequests, home_folder
from .frames import ChannelClosed, FrameReader, FrameWriter, ProtocolError
from .programs import Programs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

VERSION = 1
VARIABLES = ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL", "TMPDIR")
# With so much unsent, neither programs nor files are read.
MAX_UNSENT_BYTES = 1 << 19
END_TIMEOUT_SECONDS = 5


class Relay:
    """`signal`: the one that ends it."""

    def __init__(self) -> None:
        self.reader, self.writer = FrameReader(0), FrameWriter(1)
        self.programs = Programs(self.writer)
        self.selector = selectors.DefaultSelector()
        self.wake_reader, self.wake_writer = os.pipe()
        for descriptor in (0, 1, self.wake_reader, self.wake_writer):
            os.set_blocking(descriptor, False)
        self.files = FileRequests(self.wake)
        self.is_ending = False
        self.signal: int | None = None

    def run(self) -> None:
        self.catch_signals()
        enter_home()
        self.writer.send(frames.HELLO, 0, describe_machine())
        self.selector.register(0, selectors.EVENT_READ)
        self.selector.register(self.wake_reader, selectors.EVENT_READ)
        self.files.start()
        try:
            while not self.is_ending:
                self.writer.flush()
                self.serve()
        except ChannelClosed:
            pass
        finally:
            self.files.end(END_TIMEOUT_SECONDS)

    def serve(self) -> None:
        """Waits until something can be done, and does it."""
        has_room = self.writer.size < MAX_UNSENT_BYTES
        # All descriptors of programs are in one of epoll, which can be waited for, or not, as one.
        self.wait_for(self.programs.selector.fileno(), selectors.EVENT_READ, has_room)
        self.wait_for(1, selectors.EVENT_WRITE, self.writer.size > 0)
        ready = {key.fd for key, _ in self.selector.select(0 if has_room and not self.files.answers.empty() else None)}
        if self.wake_reader in ready:
            os.read(self.wake_reader, 4096)
            self.programs.reap()
        if 0 in ready:
            if not self.reader.read():
                self.is_ending = True
            for kind, channel, payload in self.reader.frames():
                self.handle(kind, channel, payload)
        if has_room:
            self.programs.serve()
            while self.writer.size < MAX_UNSENT_BYTES and not self.files.answers.empty():
                self.writer.send(frames.ANSWER, *self.files.answers.get())

    def wait_for(self, descriptor: int, event: int, is_wanted: bool) -> None:
        is_registered = descriptor in self.selector.get_map()
        if is_wanted and not is_registered:
            self.selector.register(descriptor, event)
        elif is_registered and not is_wanted:
            self.selector.unregister(descriptor)

    def handle(self, kind: int, channel: int, payload: bytes) -> None:
        if kind == frames.START:
            self.programs.start(channel, payload.split(b"\0"))
        elif kind == frames.INPUT:
            self.programs.add_input(channel, payload)
        elif kind == frames.INPUT_END:
            self.programs.end_input(channel)
        elif kind == frames.OUTPUT_READ:
            self.programs.allow_output(channel, payload)
        elif kind == frames.KILL:
            self.programs.kill(channel)
        elif kind == frames.CLOSE:
            self.programs.close(channel)
        elif kind == frames.REQUEST:
            self.files.add(channel, payload)
        elif kind == frames.PING:
            self.writer.send(frames.PONG, channel)
        else:
            raise ProtocolError("a frame of kind {}".format(kind))

    def catch_signals(self) -> None:
        """SIGCHLD wakes the main thread. Signals that end a program end this one, too, but it removes its incomplete files first. Only
        SIGTERM does not: a batch system sends it to an allocation that ends, whose results and states are still to be read."""
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        signal.set_wakeup_fd(self.wake_writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.signal(signal.SIGTERM, lambda number, frame: None)
        for number in (signal.SIGHUP, signal.SIGINT):
            signal.signal(number, self.stop)

    def stop(self, number: int, frame: object) -> None:
        self.is_ending = True
        self.signal = number

    def wake(self) -> None:
        try:
            os.write(self.wake_writer, b"\0")
        except BlockingIOError:
            pass  # the main thread will wake anyway


def enter_home() -> None:
    """Programs start in the home folder, as those of sshd do."""
    for folder in (home_folder(), b"/"):
        try:
            os.chdir(folder)
        except OSError:
            continue
        os.environb[b"PWD"] = folder
        return


def describe_machine() -> bytes:
    environment = {name: value for name, value in os.environ.items() if name.startswith("SLURM_") or name in VARIABLES}
    machine = {"version": VERSION, "pid": os.getpid(), "hostname": socket.gethostname(), "environment": environment}
    return json.dumps(machine).encode()


def fail(reason: str) -> NoReturn:
    sys.stderr.write("muster's relay: {}\n".format(reason))
    sys.stderr.flush()
    os._exit(1)


def main() -> None:
    try:
        if sys.argv[-2:-1] == ["--job"]:
            enter_allocation(sys.argv[-1].encode())
        relay = Relay()
        relay.run()
    except AllocationError as error:
        fail(str(error))
    except ProtocolError as error:
        fail("the coordinator sends {}".format(error))
    if relay.signal is not None:
        signal.signal(relay.signal, signal.SIG_DFL)
        os.kill(os.getpid(), relay.signal)
    # A thread that waits for a disk must not keep the process.
    os._exit(0)

"""The programs that the coordinator has started."""
from __future__ import annotations

import errno
import json
import os
import selectors
import signal
import subprocess
from collections import deque

from .frames import COUNT, ERRORS, EXITED, FAILED, INPUT, INPUT_TAKEN, KILLED, OUTPUT, STARTED, STREAM_COUNT, WINDOW_BYTES, ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .frames import FrameWriter

READ_BYTES = 1 << 16  # the capacity of a pipe


class Program:
    """A program, its streams that are open, and what it has not taken of its input. `allowed`: how much of its output may be sent."""

    def __init__(self, channel: int, process: subprocess.Popen[bytes]):
        assert process.stdin and process.stdout and process.stderr
        self.channel, self.process = channel, process
        self.files = [process.stdin, process.stdout, process.stderr]
        self.stdin: int | None = process.stdin.fileno()
        self.outputs = {OUTPUT: process.stdout.fileno(), ERRORS: process.stderr.fileno()}
        self.allowed = {OUTPUT: WINDOW_BYTES, ERRORS: WINDOW_BYTES}
        self.input: deque[bytes] = deque()
        self.input_bytes = 0
        self.has_input_ended = False
        for file in self.files:
            os.set_blocking(file.fileno(), False)


class Programs:
    """`selector`: the descriptors of all programs that are waited for."""

    def __init__(self, writer: FrameWriter):
        self.writer = writer
        self.selector = selectors.DefaultSelector()
        self.by_channel: dict[int, Program] = {}
        self.closed: list[Program] = []

    def start(self, channel: int, argv: list[bytes]) -> None:
        if channel in self.by_channel:
            raise ProtocolError("a number that is in use")
        try:
            # A session of its own makes it the leader of a process group. close_fds is the default: it gets no pipe of another program.
            process = subprocess.Popen(
                argv, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
            )
        except (OSError, ValueError) as error:
            self.writer.send(FAILED, channel, describe_error(error))
            return
        program = self.by_channel[channel] = Program(channel, process)
        self.writer.send(STARTED, channel, COUNT.pack(process.pid))
        for kind, descriptor in program.outputs.items():
            self.selector.register(descriptor, selectors.EVENT_READ, (program, kind))

    def add_input(self, channel: int, data: bytes) -> None:
        program = self.by_channel.get(channel)
        if program is None:
            return
        program.input_bytes += len(data)
        if program.input_bytes > WINDOW_BYTES:
            raise ProtocolError("more input than the window allows")
        program.input.append(data)
        self.write_input(program)

    def end_input(self, channel: int) -> None:
        program = self.by_channel.get(channel)
        if program is not None:
            program.has_input_ended = True
            self.write_input(program)

    def allow_output(self, channel: int, payload: bytes) -> None:
        program = self.by_channel.get(channel)
        if program is None:
            return
        kind, count = STREAM_COUNT.unpack(payload)
        was_stopped = program.allowed[kind] == 0
        program.allowed[kind] += count
        if was_stopped and count > 0 and kind in program.outputs:
            self.selector.register(program.outputs[kind], selectors.EVENT_READ, (program, kind))

    def kill(self, channel: int) -> None:
        program = self.by_channel.get(channel)
        # Until it has been waited for, its process id, and thus that of its group, means nobody else.
        if program is not None and program.process.returncode is None:
            try:
                os.killpg(program.process.pid, signal.SIGKILL)
            except OSError:
                pass
        self.writer.send(KILLED, channel)

    def close(self, channel: int) -> None:
        program = self.by_channel.pop(channel, None)
        if program is None:
            return
        for descriptor in [program.stdin] + list(program.outputs.values()):
            self.forget(descriptor)
        program.stdin = None
        program.outputs.clear()
        for file in program.files:
            file.close()
        if program.process.poll() is None:
            self.closed.append(program)

    def serve(self) -> None:
        """Reads and writes what can be read and written now."""
        for key, _ in self.selector.select(0):
            program, kind = key.data
            # An earlier one of these events may have ended the stream.
            if kind in program.outputs:
                self.read_output(program, kind)
            elif kind == INPUT and program.stdin is not None:
                self.write_input(program)

    def reap(self) -> None:
        """Reports which programs have exited."""
        self.closed = [program for program in self.closed if program.process.poll() is None]
        for program in list(self.by_channel.values()):
            self.report_exit(program)

    def read_output(self, program: Program, kind: int) -> None:
        descriptor = program.outputs[kind]
        try:
            data = os.read(descriptor, min(READ_BYTES, program.allowed[kind]))
        except BlockingIOError:
            return
        self.writer.send(kind, program.channel, data)
        program.allowed[kind] -= len(data)
        if not data or program.allowed[kind] == 0:
            self.selector.unregister(descriptor)
        if not data:
            del program.outputs[kind]
            self.report_exit(program)

    def report_exit(self, program: Program) -> None:
        """Reports the exit of a program whose output has ended. It is waited for only then, see `kill`."""
        if program.outputs or program.process.poll() is None:
            return
        self.writer.send(EXITED, program.channel, describe_exit(program.process.returncode))
        self.close(program.channel)

    def write_input(self, program: Program) -> None:
        taken = self.write_pipe(program)
        if taken > 0:
            program.input_bytes -= taken
            self.writer.send(INPUT_TAKEN, program.channel, COUNT.pack(taken))
        if program.stdin is None:
            return
        is_waiting = program.stdin in self.selector.get_map()
        if program.input and not is_waiting:
            self.selector.register(program.stdin, selectors.EVENT_WRITE, (program, INPUT))
        elif not program.input and is_waiting:
            self.selector.unregister(program.stdin)
        if program.has_input_ended and not program.input:
            self.end_stdin(program)

    def write_pipe(self, program: Program) -> int:
        """Writes what fits into the program's stdin. How many bytes that were, or that it will never read."""
        taken = 0
        while program.input:
            part = program.input.popleft()
            written = 0
            try:
                written = len(part) if program.stdin is None else os.write(program.stdin, part)
            except BlockingIOError:
                pass
            except OSError:
                # It has closed its stdin.
                self.end_stdin(program)
                written = len(part)
            taken += written
            if written < len(part):
                program.input.appendleft(part[written:])
                break
        return taken

    def end_stdin(self, program: Program) -> None:
        self.forget(program.stdin)
        program.stdin = None
        program.files[0].close()

    def forget(self, descriptor: int | None) -> None:
        if descriptor is not None and descriptor in self.selector.get_map():
            self.selector.unregister(descriptor)


def describe_error(error: Exception) -> bytes:
    """The payload that reports an error of the system, by the name of its number."""
    if isinstance(error, OSError) and error.errno is not None:
        answer = {"error": errno.errorcode.get(error.errno, "EIO"), "message": os.strerror(error.errno)}
    else:
        answer = {"error": "EINVAL", "message": "{}: {}".format(type(error).__name__, error)}
    return json.dumps(answer).encode()


def describe_exit(status: int) -> bytes:
    if status >= 0:
        return json.dumps({"code": status}).encode()
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = "signal {}".format(-status)
    return json.dumps({"signal": name}).encode()

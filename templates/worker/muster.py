"""The worker library of muster: the chunks of a job, their progress and their outputs. Python 3.8+, standard library only.

    import muster

    for chunk in muster.chunks():
        hits = []
        for seeds in chunk.ranges(step=1000):
            hits += sieve(seeds.start, seeds.stop)
        chunk.write("hits.json", hits)

muster puts this module on the PYTHONPATH of what it starts. docs/worker-protocol.md describes the files and descriptors behind it.
Without muster there is one chunk, from the command line:

    python3 sieve.py --range 0:500000 [--param NAME=VALUE ...] [--out FOLDER] [ARGUMENT ...]
"""
import sys

if sys.version_info < (3, 8):
    raise ImportError("muster's worker library needs Python 3.8 or newer; this is Python %d.%d (%s)" % (
        sys.version_info[0], sys.version_info[1], sys.executable))  # fmt: skip

import fcntl
import importlib.abc
import importlib.util
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, NoReturn, Optional

__all__ = ["Chunk", "chunks"]

CHUNKS_DESCRIPTOR, ANSWERS_DESCRIPTOR = 3, 4  # of a warm worker
PROGRESS_SECONDS = 0.1  # between two writes of the progress file
MAX_TEXT_CHARS = 200  # of the text beside a progress


class Chunk:
    """One execution of a chunk. `start` and `end`: its half-open range, or None where the job has none; `ranges` lowers `end` when
    muster gives the rest to another slot. `inputs`: the job's `inputs` as paths. `out`: the folder for outputs. `state`: the folder of
    its state, or None where the job keeps none. `gpu`: the index of its GPU on the node, or None; the process sees this GPU as device 0.
    `attempt`: 1 for the first one. `deadline`: when its timeout comes, as time.monotonic() counts, or None."""

    def __init__(self, variables: Mapping[str, str], args: List[str]):
        self._variables, self._reported_at, self._has_begun = variables, 0.0, False
        self.id = variables["MUSTER_CHUNK"]
        self.start, self.end = _integer(variables.get("MUSTER_START")), _integer(variables.get("MUSTER_END"))
        self.params: Dict[str, Any] = json.loads(variables.get("MUSTER_PARAMS") or "{}")
        self.args = args
        self.inputs = [Path(path) for path in json.loads(variables.get("MUSTER_INPUTS") or "[]")]
        self.out = Path(variables.get("MUSTER_OUT") or ".")
        state = variables.get("MUSTER_STATE")
        self.state = Path(state) if state else None
        self.gpu = _integer(variables.get("MUSTER_GPU"))
        self.attempt = int(variables.get("MUSTER_TRY") or 1)
        deadline = variables.get("MUSTER_DEADLINE")
        self.deadline = float(deadline) if deadline else None

    def ranges(self, step: int = 1000) -> Iterator[range]:
        """The range in blocks of at most `step` units. It reports the progress, and stops early where muster has given the rest
        to another slot. ValueError where the chunk has no range, or `step` is below 1."""
        if self.start is None or self.end is None:
            raise ValueError("this chunk has no range; without muster, give one with --range START:END")
        if step < 1:
            raise ValueError("step must be at least 1")
        return self._take_blocks(self.start, self.end, step)

    def _take_blocks(self, begun: int, end: int, step: int) -> Iterator[range]:
        # In a second pass muster must not give away what the first one has computed.
        path = None if self._has_begun else self._variables.get("MUSTER_RANGE")
        self._has_begun = True
        file = None if path is None else os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while True:
                if file is not None:
                    end = _begin_block(file, begun, end, step)
                    self.end = end
                if begun >= end:
                    return
                yield range(begun, min(begun + step, end))
                begun = min(begun + step, end)
        finally:
            if file is not None:
                os.close(file)

    def progress(self, done: float, of: float = 1, text: str = "") -> None:
        """Reports that `done` of `of` is done, with a short text for people. It may be called often."""
        path, time_now = self._variables.get("MUSTER_PROGRESS"), time.monotonic()
        if path is None or (done < of and time_now < self._reported_at + PROGRESS_SECONDS):
            return
        self._reported_at = time_now
        share = max(0.0, min(1.0, done / of if of > 0 else 1.0))
        line = "%.6f 1 %s" % (share, " ".join(text.split())[:MAX_TEXT_CHARS])
        _replace(Path(path), lambda partial: partial.write_text(line.rstrip() + "\n", "utf-8"))

    def report(self, step: int, value: float) -> None:
        """Reports an intermediate value, such as the loss after an epoch: `ask` programs and people see it while the chunk runs."""
        path = self._variables.get("MUSTER_VALUES")
        if path is not None:
            with open(path, "a", encoding="ascii") as file:
                file.write("%d %r\n" % (step, float(value)))

    def write(self, name: str, value: Any) -> Path:
        """Writes the output `name`, which is in place as a whole or not at all: bytes as they are, a copy of the file that a Path
        names, and everything else as JSON. Returns its path. TypeError where the value cannot be JSON."""
        target = self.out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(value, os.PathLike):
            source = os.fspath(value)
            _replace(target, lambda partial: shutil.copyfile(source, partial))
        else:
            is_bytes = isinstance(value, (bytes, bytearray, memoryview))
            data = value if is_bytes else (json.dumps(value, default=_to_plain) + "\n").encode()
            _replace(target, lambda partial: partial.write_bytes(data))
        return target

    def log(self, text: object) -> None:
        """Prints a line to stderr, which is the chunk's log, at once."""
        print(text, file=sys.stderr, flush=True)

    def fail(self, reason: str, retry: bool = False) -> NoReturn:
        """Ends the program: the chunk has failed. Without `retry` no further attempt of it is made."""
        path = self._variables.get("MUSTER_FAILURE")
        if path is not None:
            line = "%s %s\n" % ("retry" if retry else "final", " ".join(reason.split()))
            _replace(Path(path), lambda partial: partial.write_text(line, "utf-8"))
        sys.exit(reason)


_was_called = False


def chunks() -> Iterator[Chunk]:
    """The chunks that this process computes: one after another under `worker: warm`, exactly one otherwise. Each iteration of the
    loop is a chunk; when the next one is asked for, the outputs of the last one must be complete. An error that leaves the loop
    fails the chunk. RuntimeError where it was called before, and in a process that was forked from a worker."""
    global _was_called
    if _was_called:
        raise RuntimeError("muster.chunks() was called before: one loop over it takes all chunks of this process")
    _was_called = True
    # Removed, so that a program that this one starts takes no chunks.
    if os.environ.pop("MUSTER_DESCRIPTORS", None):
        yield from _take_chunks()
    elif "MUSTER_CHUNK" in os.environ:
        yield Chunk(os.environ, sys.argv[1:])
    else:
        yield _parse_command_line(sys.argv[1:])


def _take_chunks() -> Iterator[Chunk]:
    """Takes chunks from the agent until it has no more (docs/worker-protocol.md). Arguments, environment, working directory, stdout
    and stderr are those of the chunk during its iteration."""
    pid = os.getpid()
    for fd in (CHUNKS_DESCRIPTOR, ANSWERS_DESCRIPTOR):
        os.set_inheritable(fd, False)
    with os.fdopen(CHUNKS_DESCRIPTOR, "rb", closefd=False) as lines:
        os.write(ANSWERS_DESCRIPTOR, b"ready\n")
        for line in lines:
            word, _, folder = line.rstrip(b"\n").partition(b" ")
            if word != b"chunk":
                continue  # of a later version
            yield _enter_chunk(os.fsdecode(folder))
            if os.getpid() != pid:
                raise RuntimeError("a process that was forked from a worker asks for a chunk: end it with os._exit")
            _leave_chunk()
            os.write(ANSWERS_DESCRIPTOR, b"done " + folder + b"\n")


def _enter_chunk(folder: str) -> Chunk:
    with open(folder + "/chunk.json", encoding="utf-8", errors="surrogateescape") as file:
        described = json.load(file)
    _flush()
    for name, fd in (("out", 1), ("err", 2)):
        log = os.open(folder + "/" + name, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        os.dup2(log, fd)
        os.close(log)
    os.chdir(described["cwd"])
    for name in described["clear"]:
        os.environ.pop(name, None)
    os.environ.update(described["env"])
    sys.argv[1:] = described["args"]
    return Chunk(dict(os.environ), list(described["args"]))


def _leave_chunk() -> None:
    """What is printed before the next chunk is nobody's: nothing limits a log that has been collected."""
    _flush()
    null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    for fd in (1, 2):
        os.dup2(null, fd)
    os.close(null)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


def _parse_command_line(words: List[str]) -> Chunk:
    """The chunk of a script that runs without muster. Words that are not of this module are the chunk's arguments."""
    variables: Dict[str, str] = {"MUSTER_CHUNK": "alone"}
    args: List[str] = []
    params: Dict[str, Any] = {}
    rest = iter(words)
    for word in rest:
        if word not in ("--range", "--param", "--out"):
            args.append(word)
            continue
        value = next(rest, "")
        if word == "--out":
            variables["MUSTER_OUT"] = value
        elif word == "--param":
            name, _, text = value.partition("=")
            params[name] = _parse_value(text)
        else:
            start, _, end = value.partition(":")
            if not (start.isdigit() and end.isdigit()):
                sys.exit("--range must be START:END, such as 0:500000, and not %r" % value)
            variables.update(MUSTER_START=start, MUSTER_END=end, MUSTER_CHUNK=start + "-" + end)
    variables["MUSTER_PARAMS"] = json.dumps(params)
    sys.argv[1:] = args
    return Chunk(variables, list(args))


def _parse_value(text: str) -> Any:
    """A value as a job's `params` would have it: a number or a boolean where the text is one."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, (bool, int, float)) else text


def _integer(text: Optional[str]) -> Optional[int]:
    return int(text) if text else None


def _begin_block(file: int, begun: int, end: int, step: int) -> int:
    """Writes where the block after this one begins, under the lock of the file. Returns where the range ends by now."""
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        words = os.pread(file, 256, 0).split()
        if len(words) == 2:
            end = min(end, int(words[1]))
        text = b"%d %d\n" % (min(begun + step, end), end)
        os.pwrite(file, text, 0)
        os.ftruncate(file, len(text))
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)
    return end


def _replace(target: Path, write: Callable[[Path], object]) -> None:
    """Has `write` write a file beside the target, which then takes its place."""
    partial = target.with_name(".%s.%d.partial" % (target.name[:200], os.getpid()))
    try:
        write(partial)
        os.replace(partial, target)
    except BaseException:
        if os.path.lexists(partial):
            os.unlink(partial)
        raise


def _to_plain(value: Any) -> Any:
    """The numbers and lists of NumPy, CuPy and PyTorch, and sets and paths, as JSON has them."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError("%s cannot be written as JSON" % type(value).__name__)


class _MemoryLimits(importlib.abc.MetaPathFinder):
    """Limits the GPU memory of PyTorch and CuPy when they are loaded, where the node's profile has `memory_fraction`."""

    def __init__(self, limits: Mapping[str, Callable[[Any], object]]):
        self.limits, self.is_searching = limits, False

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        if fullname not in self.limits or self.is_searching:
            return None
        self.is_searching = True
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self.is_searching = False
        loader: Any = spec.loader if spec else None
        if loader is not None and hasattr(loader, "exec_module"):
            load = loader.exec_module

            def exec_module(module: Any) -> None:
                load(module)
                self.apply(fullname, module)

            loader.exec_module = exec_module
        return spec

    def apply(self, name: str, module: Any) -> None:
        try:
            self.limits[name](module)
        except Exception as error:
            print("muster: the GPU memory of %s could not be limited: %s" % (name, error), file=sys.stderr)


def _limit_gpu_memory() -> None:
    fraction, size = os.environ.get("MUSTER_GPU_MEMORY_FRACTION"), os.environ.get("MUSTER_GPU_MEMORY")
    if not fraction or not size:
        return

    def limit_torch(torch: Any) -> None:
        def limit() -> None:
            torch.cuda.set_per_process_memory_fraction(float(fraction or 1))

        # Deferred until the GPU is first used: a process that has initialized it cannot fork workers that use it, too.
        getattr(torch.cuda, "_lazy_call", lambda call: call())(limit)

    def limit_cupy(cupy: Any) -> None:
        cupy.get_default_memory_pool().set_limit(size=int(size or 0))

    finder = _MemoryLimits({"torch": limit_torch, "cupy": limit_cupy})
    sys.meta_path.insert(0, finder)
    for name in finder.limits:
        if name in sys.modules:
            finder.apply(name, sys.modules[name])


_limit_gpu_memory()

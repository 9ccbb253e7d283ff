"""The client library of muster: runs jobs from a Python program or a notebook. Python 3.8+, standard library only.

    from muster_client import run

    job = {"name": "squares", "kind": "matrix", "matrix": {"n": [1, 2, 3]}, "script": "square.py",
           "args": ["{n}"], "outputs": ["stdout"]}
    with run(job, inventory="inventory.yaml") as results:
        for result in results:
            print(result.params, result.node, result.output)
    print(results.end.meaning)

It starts the program `muster`, which must be on the PATH. docs/library.md describes it. The module that workers import is muster.py.
"""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import weakref
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Type, Union

__all__ = ["End", "MusterError", "Result", "Run", "add", "list_runs", "run", "status"]

StrPath = Union[str, "os.PathLike[str]"]
MAX_ERROR_CHARS = 2000  # of what muster printed before it failed without an error document


class MusterError(Exception):
    """What muster reports, with its message. `code` identifies it, `exit_status` is that of the command, `next` is the next action, and
    `problems` are those of a job or another file: each with `message`, `file`, and `line` and `column`, or `pointer`, a JSON pointer into
    the job that was passed."""

    def __init__(self, document: Mapping[str, Any], exit_status: int):
        super().__init__("\n".join(part for part in (document["message"], document.get("next")) if part))
        self.code: str = document["code"]
        self.exit_status = exit_status
        self.node: Optional[str] = document.get("node")
        self.next: Optional[str] = document.get("next")
        self.problems: List[Dict[str, Any]] = document.get("problems") or []


@dataclass(frozen=True)
class Result:
    """The committed result of one chunk. `range`: the units [start, end) of a range. `files`: its outputs, absolute. `output`: its first
    output, if that is JSON and not large, else None. `values`: the intermediate values that its program has reported, (step, value) in
    order. `stopped`: it was stopped on request; its outputs are those that it had by then, which may be none."""

    chunk: str
    params: Dict[str, Any]
    range: Optional[Tuple[int, int]]
    node: str
    slot: int
    gpus: List[int]
    attempt: int
    seconds: float
    sha256: str
    files: List[Path]
    output: Any
    values: List[Tuple[int, Optional[float]]] = field(default_factory=list)
    stopped: bool = False


@dataclass(frozen=True)
class End:
    """How a run has ended. `meaning`: "done", "partly done", "no usable node", "taken over" or "interrupted". `already`: it was complete
    before. `summary`: what `muster run --json` prints."""

    meaning: str
    exit_status: int
    state: str
    already: bool
    summary: Dict[str, Any]


class Run(Iterator[Result]):
    """A run that has begun: an iterator of its results while it goes on, those of earlier sessions first. Leaving its `with` block
    interrupts the run where it has not ended, as Ctrl-C does: running chunks continue on their nodes, and the next run of the job collects
    them. `directory`: the run directory. `notes`: what a user should know about the job."""

    def __init__(self, process: "subprocess.Popen[str]", errors: IO[str]):
        self._process, self._errors = process, errors
        self._end: Optional[End] = None
        # Where the program forgets the run, or ends.
        self._finalizer = weakref.finalize(self, _interrupt, process)
        try:
            begun = self._read()
        except BaseException:
            self.close()
            raise
        self.directory = Path(begun["run"]["directory"])
        self.notes: List[str] = begun["run"]["notes"]

    @property
    def end(self) -> End:
        """How the run has ended. RuntimeError while it goes on."""
        if self._end is None:
            raise RuntimeError("the run has not ended: read all of its results first, or leave its `with` block")
        return self._end

    def __next__(self) -> Result:
        assert self._process.stdout is not None
        if self._end is not None or self._process.stdout.closed:
            raise StopIteration
        try:
            line = self._read()
        except BaseException:
            self.close()
            raise
        if "result" in line:
            return _to_result(line["result"])
        self._finish(line["end"])
        raise StopIteration

    def __enter__(self) -> "Run":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def close(self) -> None:
        """Interrupts the run where it has not ended, and waits for its end. A KeyboardInterrupt meanwhile ends muster at once."""
        try:
            self._finalizer()
            self._drain()
        except KeyboardInterrupt:
            _interrupt(self._process)
            self._drain()
            raise

    def _drain(self) -> None:
        """Reads what is left, because muster would wait for that."""
        assert self._process.stdout is not None
        for text in () if self._process.stdout.closed else self._process.stdout:
            line = json.loads(text) if text.startswith('{"end":') else None
            if line is not None and self._end is None:
                self._finish(line["end"])
                return
        self._wait()

    def _finish(self, end: Dict[str, Any]) -> None:
        self._end = End(end["meaning"], end["exitStatus"], end["state"], end["already"], end["summary"])
        self._wait()

    def _wait(self) -> int:
        exit_status = self._process.wait()
        self._finalizer.detach()
        if self._process.stdout is not None:
            self._process.stdout.close()
        return exit_status

    def _read(self) -> Dict[str, Any]:
        """The next line that muster prints. MusterError where it is an error, or there is none."""
        assert self._process.stdout is not None
        text = self._process.stdout.readline()
        while text.startswith('{"alive":'):
            text = self._process.stdout.readline()
        line: Dict[str, Any] = json.loads(text) if text.endswith("\n") else {}
        if not line:
            exit_status = self._wait()
            self._errors.seek(0)
            said = self._errors.read()[-MAX_ERROR_CHARS:].strip()
            message = "muster ended with status %d: %s" % (exit_status, said or "it printed nothing")
            raise MusterError({"code": "BUG", "message": message}, exit_status)
        if "error" in line:
            raise MusterError(line["error"], line["exit"])
        return line


def run(
    job: Union[StrPath, Mapping[str, Any]],
    *,
    inventory: Optional[StrPath] = None,
    nodes: Sequence[str] = (),
    out: Optional[StrPath] = None,
    folder: Optional[StrPath] = None,
    fresh: bool = False,
    adopt: bool = False,
    provision: bool = False,
    set: Optional[Mapping[str, Any]] = None,
    results: Optional[StrPath] = None,
    overwrite: bool = False,
    muster: Sequence[str] = ("muster",),
) -> Run:
    """Runs a job, or resumes it where its run directory exists, and returns when it has begun. `job`: the path of a job file, or what such a
    file would hold, whose relative paths start from `folder` (default: the current one). `inventory`: a file, or "local". `nodes`: names,
    tags or globs. `out`: the run directory. `muster`: the words that start muster. MusterError where the run cannot begin."""
    words = ["run", "-" if isinstance(job, Mapping) else str(Path(job).absolute()), "--json-lines"]
    if inventory is not None:
        words += ["--inventory", "local" if inventory == "local" else str(Path(inventory).absolute())]
    for name, path in (("--out", out), ("--results", results)):
        words += [] if path is None else [name, str(Path(path).absolute())]
    words += ["--limit", ",".join(nodes)] if nodes else []
    flags = {"--fresh": fresh, "--adopt": adopt, "--provision": provision, "--overwrite": overwrite}
    words += [name for name, is_set in flags.items() if is_set]
    for key, value in (set or {}).items():
        words += ["--set", "%s=%s" % (key, value if isinstance(value, str) else json.dumps(value))]
    text = _to_json(job) if isinstance(job, Mapping) else ""
    errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
    # A session of its own: Ctrl-C at a terminal reaches this process alone, which passes it on once.
    process = subprocess.Popen(
        _find(muster) + words, cwd=folder, encoding="utf-8", start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
    )  # fmt: skip
    assert process.stdin is not None
    try:
        with process.stdin as stdin:
            stdin.write(text)
    except BrokenPipeError:
        pass  # It has ended, and says why.
    except BaseException:
        _interrupt(process)
        raise
    return Run(process, errors)


def add(
    run: StrPath, tasks: Sequence[Mapping[str, Any]] = (), *, close: bool = False, muster: Sequence[str] = ("muster",)
) -> Dict[str, Any]:
    """Adds tasks to a run with `kind: queue`, also while no coordinator of it is alive. They are on disk when it returns, all of them or
    none; `added` says how many are new. `run`: a run directory, the name of one in ./runs, or a job file. `close`: accept no more tasks after
    these. MusterError where a task is wrong, or the queue is closed."""
    words = ["add", os.fspath(run), *(["-"] if tasks else []), *(["--close"] if close else []), "--json"]
    return _ask(muster, words, _to_json(list(tasks)))


def status(run: StrPath, *, muster: Sequence[str] = ("muster",)) -> Dict[str, Any]:
    """What `muster status --json` prints of a run: its `state`, `chunks`, `units`, `nodes`, `seconds` and more. `run`: a run directory, or the
    name of one in ./runs. MusterError where there is none."""
    document = _ask(muster, ["status", os.fspath(run), "--json"])
    if "runs" in document:
        message = "%s is neither a run directory nor the name of one in ./runs" % os.fspath(run)
        raise MusterError({"code": "USAGE", "message": message}, 64)
    return document


def list_runs(folder: StrPath = ".", *, muster: Sequence[str] = ("muster",)) -> List[Dict[str, Any]]:
    """The status of each run in a folder, or in its `runs`, oldest first. MusterError where there is no such folder."""
    document = _ask(muster, ["status", os.fspath(folder), "--json"])
    return document["runs"] if "runs" in document else [document]


def _ask(muster: Sequence[str], words: List[str], text: str = "") -> Dict[str, Any]:
    command = _find(muster) + words
    answer = subprocess.run(command, input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")
    if not answer.stdout:
        message = "muster ended with status %d: %s" % (answer.returncode, answer.stderr[-MAX_ERROR_CHARS:].strip())
        raise MusterError({"code": "BUG", "message": message}, answer.returncode)
    document = json.loads(answer.stdout)
    if "error" in document:
        raise MusterError(document["error"], document["exit"])
    return document


def _to_json(value: Any) -> str:
    """Paths are texts. ValueError for NaN, TypeError for what is no plain data."""
    return json.dumps(value, allow_nan=False, default=os.fspath)


def _find(muster: Sequence[str]) -> List[str]:
    program = shutil.which(muster[0])
    if program is None:
        message = "there is no program %s on the PATH: install it with npm, or pass `muster=[...]`" % muster[0]
        raise MusterError({"code": "COMMAND", "message": message}, 69)
    # The program may start in another folder.
    return [os.path.abspath(program), *muster[1:]]


def _interrupt(process: "subprocess.Popen[str]") -> None:
    """What Ctrl-C does. A process that has ended is left alone."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)


def _to_result(line: Dict[str, Any]) -> Result:
    units = line.get("range")
    return Result(
        chunk=line["chunk"],
        params=line["params"],
        range=None if units is None else (units["start"], units["end"]),
        node=line["node"],
        slot=line["slot"],
        gpus=line["gpus"],
        attempt=line["attempt"],
        seconds=line["seconds"],
        sha256=line["sha256"],
        files=[Path(file) for file in line["files"]],
        output=line["output"],
        values=[(step, value) for step, value in line.get("values", [])],
        stopped=line.get("stopped", False),
    )

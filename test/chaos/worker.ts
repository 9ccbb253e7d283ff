import type { ChunkFault } from "./jobplan.js";

/** What settings.json tells the worker of a job. Its results follow from that alone. */
export interface WorkerSettings {
  /** Goes into every result, so that no job's are another's. */
  salt: string;
  secondsPerItem: number;
  sizeBytes: number;
  /** Whether a chunk is several items, and its result a list. */
  isList: boolean;
  /** Where each execution is noted, outside of the run's own folders. */
  log: string;
  /** An input whose content goes into every result; null for none. */
  feed: string | null;
  /** `unit`: the one that does wrong. */
  chunkFault: (Omit<ChunkFault, "item"> & { unit: string }) | null;
}

/**
 * A worker whose results are known beforehand: `worker.py FIRST END --output PATH settings.json`, where END may be +COUNT. It notes
 * when it begins, ends and does wrong. A warm one takes chunk after chunk (docs/worker-protocol.md).
 */
export const WORKER = `#!/usr/bin/python3 -IS
import hashlib, json, os, signal, sys, time

def note(what):
    with open(settings["log"], "a") as file:
        file.write("%d %d %s %s\\n" % (first, end, os.environ["MUSTER_ATTEMPT"], what))

def digest():
    if settings["feed"] is None:
        return ""
    with open(settings["feed"]) as file:
        return hashlib.sha256("".join(file.read().split()).encode()).hexdigest()

def value(unit):
    block = hashlib.sha256(("%s:%d:%s" % (settings["salt"], unit, fed)).encode()).hexdigest()
    size = settings["sizeBytes"]
    return '"' + (block * (size // 64 + 1))[: size - 2] + '"'

def inject_fault(fault):
    mark = settings["log"] + ".chunkFault"
    if not first <= int(fault["unit"]) < end or (fault["times"] == "once" and os.path.exists(mark)):
        return
    with open(mark, "w"):
        pass
    note("chunkFault")
    if fault["what"] == "fails":
        sys.exit("this chunk is to fail")
    for pid in [os.getppid()] if fault["what"] == "kills-agent" else others():
        os.kill(pid, signal.SIGKILL)

def others():
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and int(name) != os.getpid():
                with open("/proc/%s/comm" % name) as file:
                    if file.read().startswith("python3"):
                        yield int(name)
        except OSError:
            pass

def work():
    global first, end, output, fed
    first, output = int(sys.argv[1]), sys.argv[4]
    end = first + int(sys.argv[2]) if sys.argv[2].startswith("+") else int(sys.argv[2])
    fed = digest()
    note("began")
    if settings["chunkFault"] is not None:
        inject_fault(settings["chunkFault"])
    time.sleep(settings["secondsPerItem"] * (end - first))
    values = [value(unit) for unit in range(first, end)]
    os.makedirs(os.path.dirname(output) or ".", exist_ok=True)
    with open(output, "w") as file:
        file.write("[" + ",".join(values) + "]" if settings["isList"] else values[0])
    note("ended")

def take(folder):
    with open(folder + "/chunk.json") as file:
        chunk = json.load(file)
    for name, descriptor in (("out", 1), ("err", 2)):
        log = os.open(folder + "/" + name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, descriptor)
        os.close(log)
    os.chdir(chunk["cwd"])
    for name in chunk["clear"]:
        os.environ.pop(name, None)
    os.environ.update(chunk["env"])
    sys.argv[1:] = chunk["args"]

def serve(source, sink):
    os.write(sink, b"ready\\n")
    for line in os.fdopen(source):
        folder = line.rstrip("\\n").partition(" ")[2]
        take(folder)
        work()
        os.write(sink, ("done %s\\n" % folder).encode())

try:
    with open(sys.argv[5]) as file:
        settings = json.load(file)
    descriptors = os.environ.pop("MUSTER_DESCRIPTORS", "").split()
    if descriptors:
        serve(*map(int, descriptors))
    else:
        work()
except OSError as error:
    sys.exit("worker: %s" % error)
`;

/** The pipeline's command: writes the hash of all its inputs, as the worker would hash one of them. */
export const JOIN = `import hashlib, sys, time
time.sleep(0.3)
content = "".join("".join(open(path).read().split()) for path in sys.argv[1:-1])
with open(sys.argv[-1], "w") as file:
    file.write('"' + hashlib.sha256(content.encode()).hexdigest() + '"')
`;

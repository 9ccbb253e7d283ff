import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { loadDigest, loadProgramFolder } from "../../templates/nodeprograms.js";

t.setTimeout(600_000);
const folder = mkdtempSync(join(tmpdir(), "muster-load-"));
t.teardown(() => rmSync(folder, { recursive: true }));
const POCL = "/etc/OpenCL/vendors/pocl.icd";
const skip = existsSync(POCL) ? false : "no OpenCL device here: apt-get install pocl-opencl-icd";

/** Runs lines of Python beside the modules of the load. */
function runPython(lines: string[]): string {
  const path = `import sys; sys.dont_write_bytecode = True; sys.path.insert(0, ${JSON.stringify(loadProgramFolder())})`;
  return execFileSync("/usr/bin/python3", ["-c", [path, ...lines].join("\n")], { encoding: "utf8" }).trim();
}

function runLoad(seconds: string, env: Record<string, string>) {
  const file = join(folder, "load.json");
  const program = join(loadProgramFolder(), "load.py");
  const done = spawnSync("/usr/bin/python3", ["-B", program, seconds, file], { env: { ...process.env, ...env } });
  t.equal(done.status, 0, String(done.stderr));
  return JSON.parse(readFileSync(file, "utf8"));
}

t.test("plain Python computes what a C compiler makes of it", async (t) => {
  // From a C program with the same steps, compiled without contraction.
  t.equal(
    runPython(["import mix", "print([hex(mix.compute_item(n, 256)) for n in (0, 1, 12345)])"]),
    "['0x6b43c970', '0x6ddffb89', '0xd88c8358']",
  );
});

t.test("without OpenCL, Python computes on the processor, and says so", async (t) => {
  const found = runLoad("1", { OCL_ICD_VENDORS: folder, MUSTER_GPU_PCI: "0000:03:00.0" });
  t.match(found, { measures: "cpu", device: "Python", reason: /not the GPU at 0000:03:00\.0/ });
  t.ok(found.rate > 0.01 && found.seconds >= 1, JSON.stringify(found));
  t.notOk("digest" in found, "there is nothing to compare");
});

t.test("an OpenCL device computes the known result in every batch", { skip }, async (t) => {
  const found = runLoad("1", { MUSTER_GPU_PCI: "0000:03:00.0" });
  t.match(found, { measures: "cpu", digest: loadDigest(), wrong: 0, reason: /OpenCL has no GPU/ });
  t.ok(found.batches > 0 && found.rate > 0, JSON.stringify(found));
});

t.test("OpenCL and plain Python agree on each sum", { skip }, async (t) => {
  const sums = runPython([
    "import ctypes, mix, opencl",
    "program = opencl.Program(next(opencl.OpenCl().devices()), mix.SOURCE)",
    "results, sums = program.buffer(4 * 256), program.buffer(4 * 16)",
    "program.enqueue(program.kernel('work', results, ctypes.c_uint32(40)), 256)",
    "program.enqueue(program.kernel('add_up', results, sums, ctypes.c_uint32(256)), 16)",
    "print(program.read(sums, 16) == mix.compute_sums(256, 40, 16))",
  ]);
  t.equal(sums, "True");
});

t.test("devices -> the one that is the GPU", async (t) => {
  const [A, B] = ["0000:03:00.0", "0000:06:00.0"];
  const choose = (devices: [name: string, isGpu: boolean, pci: string | null][], pci: string | null) =>
    JSON.parse(
      runPython([
        "import json, load, types",
        `devices = [types.SimpleNamespace(name=n, is_gpu=g, pci=p) for n, g, p in json.loads('${JSON.stringify(devices)}')]`,
        `device, reason = load.choose_device(devices, json.loads('${JSON.stringify(pci)}'))`,
        "print(json.dumps([device and device.name, reason]))",
      ]),
    );
  const gpu = (name: string, pci: string | null): [string, boolean, string | null] => [name, true, pci];
  t.same(choose([["cpu", false, null], gpu("a", A), gpu("b", B)], B), ["b", null]);
  t.same(choose([gpu("bound", null)], A), ["bound", null], "the only one that this chunk sees");
  t.same(choose([gpu("bound", A)], null), ["bound", null], "its address is not known to the agent");
  t.match(choose([gpu("a", A)], B), [null, /OpenCL has a at 0000:03:00\.0, and not the GPU at 0000:06:00\.0/]);
  t.match(choose([["cpu", false, null], gpu("a", A)], B), ["cpu", /not the GPU/], "never another card");
  t.match(choose([gpu("a", null), gpu("b", null)], A), [null, /a at an unknown address, b at/], "which one is a guess");
  t.match(choose([], A), [null, /OpenCL has no GPU/]);
});

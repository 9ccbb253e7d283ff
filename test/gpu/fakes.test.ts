import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual, promisify } from "node:util";
import t from "tap";
import type { LabNode } from "../lab/lab.js";
import { projectRoot } from "../lab/project.js";
import { findProgram } from "../lab/requirements.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";

const run = promisify(execFile);

/** The suite for real cards, from the tarball, on nodes with fake tools, a fake driver and no Node.js of their own. */
const drivers = { nvidia: ["libcuda.so.1"], amd: ["libamdhip64.so", "-DHIP"] } as const;

/** The fake drivers are compiled. */
const lacksCompiler = findProgram("cc") === undefined && "cc is not installed";

interface SuiteRun {
  exit: number;
  /** `ok`, `FAIL` or `skipped`, by check. */
  outcomes: Record<string, string>;
  out: string;
}

/** Unpacks the suite on a node, and compiles the driver of its cards there. */
async function prepareNode(node: LabNode, vendor: keyof typeof drivers): Promise<void> {
  const root = projectRoot();
  await run(join(root, "test/gpu/pack"), ["--node", process.execPath, `${join(node.root, "opt/muster-gpu")}/`]);
  const [library, ...flags] = drivers[vendor];
  const source = join(root, "test/gpu/fakes/fakegpu.c");
  await run("cc", ["-O2", "-shared", "-fPIC", ...flags, source, "-o", join(node.root, "usr/lib", library)]);
  mkdirSync(join(node.root, "var/tmp/fake-gpu"), { recursive: true });
}

/** Runs the suite, or some checks of it, as root of the node. */
async function runSuite(node: LabNode, ...checks: string[]): Promise<SuiteRun> {
  const words = [
    "env",
    "-C",
    "/",
    "/opt/muster-gpu/test/gpu/run",
    "--scale",
    "0.05",
    "--record",
    "/tmp/gpu-record.txt",
    ...checks,
  ];
  const env = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/root" };
  const { exit, out } = await node.exec(words, { env }).then(
    ({ stdout, stderr }) => ({ exit: 0, out: stdout + stderr }),
    ({ code, stdout, stderr }) => ({ exit: code as number, out: `${stdout}${stderr}` }),
  );
  const outcomes = [...out.matchAll(/^(ok|FAIL|skipped) +(\S+)/gm)].map(([, outcome, check]) => [check, outcome]);
  return { exit, out, outcomes: Object.fromEntries(outcomes) };
}

/** The check `holder`, first with a tool that names processes, then with one that does not, as in a container. */
async function checkHolders(node: LabNode): Promise<[named: SuiteRun, nameless: SuiteRun]> {
  const named = await runSuite(node, "holder");
  setFault(node, "nameless");
  return [named, await runSuite(node, "holder")];
}

/** Begins with no memory in use. */
function setFault(node: LabNode, fault: string | undefined): void {
  const holdings = join(node.root, "var/tmp/fake-gpu");
  rmSync(holdings, { recursive: true });
  mkdirSync(holdings);
  const file = join(node.root, "etc/fake-gpu-faults");
  if (fault === undefined) rmSync(file, { force: true });
  else writeFileSync(file, fault);
}

/** Runs some checks under a fault of the driver, and returns what differs from what is wanted. */
async function checkFault(node: LabNode, { fault, outcomes, reason }: FaultCase): Promise<string[]> {
  setFault(node, fault);
  const seen = await runSuite(node, ...Object.keys(outcomes));
  setFault(node, undefined);
  const isRight = seen.exit === 1 && isDeepStrictEqual(seen.outcomes, outcomes) && reason.test(seen.out);
  return isRight ? [] : [`${fault}: exit ${seen.exit}: ${seen.out}`];
}

interface FaultCase {
  fault: string;
  outcomes: Record<string, string>;
  reason: RegExp;
}

/** The checks that show a fault of the driver. */
const faultCases: FaultCase[] = [
  {
    fault: "unbound",
    outcomes: { binding: "FAIL" },
    reason: /the chunk of GPU 0000:03:00.0 sees 2 devices/,
  },
  { fault: "leak", outcomes: { memory: "FAIL" }, reason: /20\d\d MiB are used 3 s later, 1 before/ },
  {
    fault: "broken",
    outcomes: { library: "FAIL", "sieve-hits": "FAIL" },
    reason: /library .*cuInit: ERROR_INVALID_VALUE.*sieve-hits .*cuInit: ERROR_INVALID_VALUE/s,
  },
  {
    fault: "wrong-hits",
    outcomes: { "sieve-hits": "FAIL" },
    reason: /(driver|built): 46 hits, the processor 47; seed \d+ is a hit that was not found/,
  },
  {
    fault: "no-kernel",
    outcomes: { fault: "FAIL" },
    reason: /the chunk did not fail in its kernel: the driver failed: cuModuleGetFunction: /,
  },
  {
    fault: "hang",
    outcomes: { facts: "ok", library: "FAIL", binding: "FAIL", "binding-torch": "skipped", memory: "FAIL" },
    reason: /binding +the driver's library does not answer: .* did not end within 6 s \(0\.0 s\)/,
  },
];

t.test("nvidia", async (t) => {
  const { skip: lack, nodes } = await shareLab(
    t,
    { nodes: ["zeus", "hera"], gpus: 2, vendor: "nvidia" },
    "looking into nodes",
  );
  const skip = lack || lacksCompiler;
  const [node, other] = nodes as [LabNode, LabNode];

  t.test("every check passes, or says what is lacking", { skip }, async (t) => {
    await Promise.all([prepareNode(node, "nvidia"), prepareNode(other, "nvidia")]);
    // Most of that check is waiting, so it has a node of its own.
    const [most, [holder, nameless]] = await Promise.all([runSuite(node, "--without", "holder"), checkHolders(other)]);
    t.equal(most.exit, 0, most.out);
    t.equal(holder.exit, 0, holder.out);
    const outcomes = { ...most.outcomes, ...holder.outcomes };
    const skipped = ["binding-cupy", "binding-torch", "startup"];
    const wanted = Object.keys(outcomes).map((check) => [check, skipped.includes(check) ? "skipped" : "ok"]);
    t.same(outcomes, Object.fromEntries(wanted), most.out);
    t.equal(Object.keys(outcomes).length, 21, most.out);
    t.match(holder.out, /^ok +holder .*held by pid \d+ \(python3\)/m);
    t.match(nameless.out, /^ok +holder .*are still in use .*\(the vendor's tool does not name process \d+\)/m);
    t.same(await node.quiet(20), [], "no process is left");
    t.same(readdirSync(join(node.root, "dev/shm")), [], "nor the mark of `muster provision`");
  });

  t.test("a fault of the driver fails the checks that show it", { skip }, async (t) => {
    const halves = [faultCases.slice(0, 3), faultCases.slice(3)];
    const problems = await Promise.all(
      halves.map(async (cases, half) => {
        const found: string[] = [];
        for (const one of cases) found.push(...(await checkFault(half === 0 ? node : other, one)));
        return found;
      }),
    );
    t.same(problems.flat(), []);
  });

  t.test("a signal ends the suite, its chunks and its folder; a hanging nvidia-smi is named", { skip }, async (t) => {
    other.setGpus({ tools: "hang" });
    const hanging = runSuite(other, "facts");
    const suite = runSuite(node, "facts", "memory-timeout", "fault");
    const find = (word: string) => node.processes().find(({ argv }) => argv.includes(word));
    await waitUntil("a chunk is in its kernel", () => find("spin") !== undefined);
    process.kill(find("suite.main")!.pid, "SIGTERM");
    const { exit, outcomes, out } = await suite;
    t.equal(exit, 143, out);
    t.same(outcomes, { facts: "ok" }, out);
    t.match(out, /^test\/gpu\/run: SIGTERM: the checks end here\n1 ok, 0 failed, 0 skipped in /m);
    t.notMatch(out, "Traceback");
    t.same(await node.quiet(5), [], "no process is left");
    const left = readdirSync(join(node.root, "tmp")).filter((name) => name.startsWith("muster-gpu-"));
    t.same(left, [], "no folder is left");
    t.match(readFileSync(join(node.root, "tmp/gpu-record.txt"), "utf8"), /^muster \d.*SIGTERM.*^\$ nvidia-smi -L$/ms);
    const named = await hanging;
    other.setGpus({ tools: undefined });
    t.equal(named.exit, 69);
    t.equal(named.out, "test/gpu/run: nvidia-smi: no answer within 20 s.\n");
  });

  t.test("a record that cannot be written is said before the checks", { skip }, async (t) => {
    const { exit, out } = await runSuite(other, "facts", "--record", "/nowhere/record.txt");
    t.equal(exit, 64);
    t.equal(out, "test/gpu/run: /nowhere/record.txt: No such file or directory\n");
  });
});

t.test("amd", async (t) => {
  const { skip: lack, nodes } = await shareLab(t, { nodes: ["rig"], gpus: 2, vendor: "amd" }, "looking into nodes");
  const skip = lack || lacksCompiler;

  t.test("cards are found and bound; sysfs of the lab has no memory that is in use", { skip }, async (t) => {
    const node = nodes[0]!;
    await prepareNode(node, "amd");
    const { exit, outcomes, out } = await runSuite(
      node,
      "facts",
      "health",
      "library",
      "binding",
      "vram",
      "sieve-hits",
      "fault",
      "power",
    );
    t.equal(exit, 0, out);
    const ok = { facts: "ok", health: "ok", binding: "ok", vram: "ok", "sieve-hits": "ok", fault: "ok", power: "ok" };
    t.same(outcomes, { ...ok, library: "skipped" }, out);
  });

  t.test("a machine without a GPU is told so", { skip }, async (t) => {
    const node = nodes[0]!;
    node.setGpus({ absent: [0, 1] });
    const { exit, out } = await runSuite(node);
    t.equal(exit, 69);
    t.match(out, "no GPU of NVIDIA or AMD with a driver");
  });
});

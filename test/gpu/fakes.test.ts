import { execFile } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import type { LabNode } from "../lab/lab.js";
import { projectRoot } from "../lab/project.js";
import { findProgram } from "../lab/requirements.js";
import { shareLab } from "../lab/sharedlab.js";

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
  if (fault === undefined) rmSync(file);
  else writeFileSync(file, fault);
}

t.test("nvidia", async (t) => {
  const { skip, nodes } = await shareLab(
    t,
    { nodes: ["zeus", "hera"], gpus: 2, vendor: "nvidia" },
    "looking into nodes",
  );
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
  });

  const faults = [
    { fault: "unbound", check: "binding", reason: /the chunk of GPU 0000:03:00.0 sees 2 devices/ },
    { fault: "leak", check: "memory", reason: /20\d\d MiB are used 3 s later, 1 before/ },
    { fault: "wrong-hits", check: "sieve-hits", reason: /driver: 46 hits, the processor 47|built: 46 hits/ },
  ];
  for (const { fault, check, reason } of faults)
    t.test(`a driver with the fault ${fault} fails the check ${check} alone`, { skip }, async (t) => {
      setFault(node, fault);
      const { exit, outcomes, out } = await runSuite(node, "facts", check);
      t.equal(exit, 1, out);
      t.same(outcomes, { facts: "ok", [check]: "FAIL" }, out);
      t.match(out, reason);
      setFault(node, undefined);
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

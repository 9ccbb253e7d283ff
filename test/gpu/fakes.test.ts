import { execFile } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import type { LabNode } from "../lab/lab.js";
import { projectRoot } from "../lab/project.js";
import { shareLab } from "../lab/sharedlab.js";

const run = promisify(execFile);

/** The suite for real cards, from the tarball, on nodes with fake tools, a fake driver and no Node.js of their own. */
const drivers = { nvidia: ["libcuda.so.1"], amd: ["libamdhip64.so", "-DHIP"] } as const;

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

function setFault(node: LabNode, fault: string | undefined): void {
  const file = join(node.root, "etc/fake-gpu-faults");
  if (fault === undefined) rmSync(file);
  else writeFileSync(file, fault);
}

for (const vendor of ["nvidia", "amd"] as const)
  t.test(vendor, async (t) => {
    const { skip, nodes } = await shareLab(t, { nodes: ["rig"], gpus: 2, vendor }, "looking into nodes");
    const node = nodes[0]!;

    t.test("every check passes or says what is lacking", { skip }, async (t) => {
      await prepareNode(node, vendor);
      const { exit, out, outcomes } = await runSuite(node);
      t.comment(out);
      t.equal(exit, 0, out);
      t.match(outcomes, { facts: "ok", health: "ok", binding: "ok", "binding-torch": "skipped" });
      t.same(await node.quiet(5), [], "no process is left");
    });

    t.test("a chunk that sees all cards fails the check of the binding", { skip }, async (t) => {
      setFault(node, "unbound");
      const { exit, outcomes, out } = await runSuite(node, "facts", "binding");
      t.equal(exit, 1);
      t.same(outcomes, { facts: "ok", binding: "FAIL" });
      t.match(out, /FAIL +binding +the chunk of GPU 0000:03:00.0 sees 2 devices/);
      setFault(node, undefined);
    });
  });

import { execFile } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { LabNode } from "../lab/lab.js";
import { projectRoot } from "../lab/project.js";
import { findProgram } from "../lab/requirements.js";

const run = promisify(execFile);

/** The suite for real cards, from the tarball, on nodes with fake tools, a fake driver and no Node.js of their own. */
const drivers = { nvidia: ["libcuda.so.1"], amd: ["libamdhip64.so", "-DHIP"] } as const;

/** The fake drivers are compiled. */
export const lacksCompiler = findProgram("cc") === undefined && "cc is not installed";

/** A run of the suite on a lab node. */
export interface SuiteRun {
  exit: number;
  /** `ok`, `FAIL` or `skipped`, by check. */
  outcomes: Record<string, string>;
  out: string;
}

/** Unpacks the suite on a node, and compiles the driver of its cards there. */
export async function prepareNode(node: LabNode, vendor: keyof typeof drivers): Promise<void> {
  const root = projectRoot();
  await run(join(root, "test/gpu/pack"), ["--node", process.execPath, `${join(node.root, "opt/muster-gpu")}/`]);
  const [library, ...flags] = drivers[vendor];
  const source = join(root, "test/gpu/fakes/fakegpu.c");
  await run("cc", ["-O2", "-shared", "-fPIC", ...flags, source, "-o", join(node.root, "usr/lib", library)]);
  mkdirSync(join(node.root, "var/tmp/fake-gpu"), { recursive: true });
}

/** Runs the suite, or some checks of it, as root of the node. */
export async function runSuite(node: LabNode, ...checks: string[]): Promise<SuiteRun> {
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

/** Gives the driver of a node a fault, or none, and begins with no memory in use. */
export function setFault(node: LabNode, fault: string | undefined): void {
  const holdings = join(node.root, "var/tmp/fake-gpu");
  rmSync(holdings, { recursive: true });
  mkdirSync(holdings);
  const file = join(node.root, "etc/fake-gpu-faults");
  if (fault === undefined) rmSync(file, { force: true });
  else writeFileSync(file, fault);
}

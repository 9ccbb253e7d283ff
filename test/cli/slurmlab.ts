import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Test } from "tap";
import { stringify } from "yaml";
import { type Lab, type LabOptions, startLab } from "../lab/lab.js";
import { lackingSlurm } from "../lab/requirements.js";
import { type Slurm, type SlurmOptions, startSlurm } from "../lab/slurm.js";
import { comesTrue } from "../lab/waituntil.js";
import { TestFolder } from "./startmuster.js";

/** Slurm on nodes of a lab, and a folder, for the tests of one file. */
export interface SlurmLab {
  /** Why no test can run here; false where they can. */
  skip: string | false;
  shop: TestFolder;
  /** There unless `skip` says why not. */
  lab: Lab;
  slurm: Slurm;
}

/** Starts Slurm: a login node and `computeNodes` more. Everything is gone when `t`, the file's root test, ends. */
export async function shareSlurm(
  t: Pick<Test, "teardown">,
  computeNodes: number,
  options: SlurmOptions = {},
  labOptions: Partial<LabOptions> = {},
): Promise<SlurmLab> {
  const skip = lackingSlurm();
  const nodes = ["login", ...Array.from({ length: computeNodes }, (_, index) => `compute${index + 1}`)];
  const lab = skip ? undefined : await startLab({ nodes, user: "rig", gpus: 0, ...labOptions });
  const slurm = lab && (await startSlurm(lab, options));
  const shop = new TestFolder();
  t.teardown(async () => {
    shop.remove();
    await slurm?.stop();
    await lab?.stop();
  });
  return { skip, shop, lab: lab as Lab, slurm: slurm as Slurm };
}

/** Writes an inventory with the cluster `hpc`, and perhaps machines; returns its path. */
export function writeClusterInventory(
  { shop, lab, slurm }: SlurmLab,
  cluster: Record<string, unknown>,
  more: { file?: string; nodes?: Record<string, unknown>; top?: Record<string, unknown> } = {},
): string {
  const { host, port, user, identityFile } = slurm.login;
  const login = { host, port, user, identity_file: identityFile, known_hosts: lab.knownHosts };
  const hpc = { engine: "slurm", ...login, python: "/usr/bin/python3", time: "10m", ...cluster };
  return shop.write(more.file ?? "inventory.yaml", stringify({ ...more.top, nodes: { ...more.nodes, hpc } }));
}

/** Nothing is left of muster: no job in the queue, no file of a pilot, no process of an agent. */
export async function checkCluster(t: Test, { slurm }: SlurmLab): Promise<void> {
  // A controller that was killed hears late of jobs that have ended meanwhile.
  if (!(await comesTrue(async () => (await slurm.squeue()).length === 0, 150)))
    t.same(await slurm.squeue(), [], `the queue is empty: ${slurm.log("slurmctld").slice(-4000)}`);
  for (const node of slurm.compute) {
    // Slurm takes the jobs of a node that is down from its queue before it has killed them.
    const listLeft = () => [
      ...["tmp", "home/rig", "root"].flatMap((folder) => listMuster(join(node.root, folder))),
      ...node.processes().flatMap(({ argv }) => (argv.includes("-IS") ? [argv.join(" ").slice(0, 60)] : [])),
    ];
    await comesTrue(() => listLeft().length === 0, 20);
    t.same(listLeft(), [], `no file and no agent is left on ${node.name}`);
  }
}

function listMuster(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const own = readdirSync(folder).filter((name) => /^\.?muster/.test(name));
  return own.flatMap((name) => [name, ...listWithin(join(folder, name)).map((path) => `${name}/${path}`)]);
}

function listWithin(path: string): string[] {
  return statSync(path).isDirectory() ? readdirSync(path, { recursive: true, encoding: "utf8" }) : [];
}

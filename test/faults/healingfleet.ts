import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Test } from "tap";
import type { HealStepName } from "../../fleet/healing/healcontext.js";
import { PowerSwitch } from "../lab/powerswitch.js";
import { type SharedLab, shareLab } from "../lab/sharedlab.js";
import { readJournal } from "./checks.js";
import type { KnownJob } from "./knownjob.js";

/** Six machines with two cards each that the tests of one file share, and their power switch. */
export interface HealingFleet extends SharedLab {
  /** There unless `skip` says why not. */
  power: PowerSwitch;
  /** Variables of a muster that does not wait for long for a machine that is silent. */
  env: Record<string, string>;
  /** What `on_heal` was told, a document a line. */
  told: string;
  /** Writes an inventory whose nodes are healed within seconds, with these keys of `heal`, and forgets earlier healings. */
  prepare(change?: Record<string, unknown>): string;
}

/** Starts the machines; they are gone when `t`, the file's root test, ends. */
export async function shareHealingFleet(t: Pick<Test, "teardown">): Promise<HealingFleet> {
  const shared = await shareLab(t, { nodes: 6, gpus: 2 }, "power-cycling nodes");
  const { skip, lab, nodes, shop } = shared;
  const power = (skip === false ? new PowerSwitch(nodes, lab.folder) : undefined) as PowerSwitch;
  t.teardown(() => power?.stop());
  const env = { MUSTER_SSH_CONFIG: shop.write("ssh_config", "Host *\n  ConnectTimeout 3\n") };
  const told = join(shop.folder, "told.ndjson");
  const file = shop.write("ramdisk.txt", "survivors");
  const prepare = (change: Record<string, unknown> = {}) => {
    for (const name of [".muster-heal.json", ".muster-drain.json"]) rmSync(join(lab.folder, name), { force: true });
    rmSync(told, { force: true });
    power.cycles.length = 0;
    power.onOff = () => {};
    const heal = { after: "2s", pause: "100ms", wait: "40s", most: "50/day" };
    const top = {
      heal: { ...heal, on_heal: [{ command: ["sh", "-c", `cat >>${told}`] }], ...change },
      playbooks: ["ramdisk"],
      ramdisk: { "/dev/shm/prng": [file] },
    };
    const node = { power_cycle: power.command, max_concurrent: 1, silence: "4s", grace: "4s", gpu_check: "1s" };
    return lab.inventory({ node, top });
  };
  return { ...shared, power, env, told, prepare };
}

/** The steps of the healings of a node in a run. */
export function listHealSteps(job: KnownJob, node: string): HealStepName[] {
  return readJournal(job.run).flatMap((entry) => (entry.e === "heal" && entry.node === node ? [entry.step] : []));
}

import { readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import type { Lab, LabNode } from "../lab/lab.js";
import { inventoryWith, runVerb, type VerbResult } from "./runverb.js";

/** Environments on the only node of a lab. */
export class EnvLab {
  /** The resource of the environment. */
  static readonly RESOURCE = "python env prng";

  constructor(
    readonly lab: Lab,
    readonly node: LabNode,
  ) {}

  /** The folder of the environments, as seen from here. */
  get home(): string {
    return join(this.node.root, "root/.venvs");
  }

  /** The inventory with one environment, whose requirements are `text`. */
  withEnv(text: string, keys: Record<string, unknown> = {}): string {
    const env = { requirements: "requirements.txt", find_links: "wheels", ...keys };
    const top = { python_envs: { prng: env }, playbooks: ["python-env"] };
    return inventoryWith(this.lab, { top }, { "requirements.txt": text });
  }

  /** The folders of environments, sorted. */
  listEnvs(): string[] {
    return readdirSync(this.home)
      .filter((name) => /-[0-9a-f]{16}(-\d+)?$/.test(name))
      .sort();
  }

  currentEnv(): string {
    return readlinkSync(join(this.home, "prng"));
  }

  /** What the environment's Python prints. */
  async python(code: string, name = "prng"): Promise<string> {
    return (await this.node.exec([`/root/.venvs/${name}/bin/python`, "-c", code])).stdout.trim();
  }
}

export const provision = (inventory: string) => runVerb(inventory, ["provision"]);
export const verify = (inventory: string) => runVerb(inventory, ["verify"]);

/** The differences of the first resource as `what: have, want`. */
export function listDifferences(answer: VerbResult): string[] {
  return (answer.nodes[0]?.resources[0]?.differences ?? []).map(({ what, have, want }) => `${what}: ${have}, ${want}`);
}

import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { LabNode } from "./labnode.js";

const POLL_MS = 20;
/** A node asks for its reboot with this file. */
const REBOOT_FILE = "var/lab-reboot";

/** How a machine was turned off and on again: from outside, or by its own `systemctl reboot`. */
export interface PowerCycle {
  node: string;
  by: "switch" | "reboot";
}

/**
 * The power switch of a lab's machines, for programs that run outside of the test: `command` is a `power_cycle` of the inventory, and
 * `systemctl reboot` on the nodes works. Both do what they say: every process of the node dies, and it boots again.
 */
export class PowerSwitch {
  /** What was done so far. */
  readonly cycles: PowerCycle[] = [];
  /** Presses the switch of the node `{node}`, and waits until it has worked. */
  readonly command: string[];
  /** Called with each node while it is off. */
  onOff: (node: LabNode) => void = () => {};
  private readonly folder: string;
  private timer: NodeJS.Timeout | undefined;
  private isBusy = false;

  constructor(
    private readonly nodes: readonly LabNode[],
    labFolder: string,
  ) {
    this.folder = join(labFolder, "power");
    mkdirSync(this.folder);
    const script = 'touch "$1/$2" && while [ -e "$1/$2" ]; do sleep 0.1; done';
    this.command = ["/bin/sh", "-c", script, "switch", this.folder, "{node}"];
    for (const node of nodes) this.connect(node);
    this.timer = setInterval(() => void this.poll(), POLL_MS);
  }

  /** Makes `systemctl reboot` work on a node; all else goes to its own systemctl. To be called again after a reinstallation. */
  connect(node: LabNode): void {
    const program = `#!/bin/sh\n[ "$1" = reboot ] && exec touch /${REBOOT_FILE}\nexec /usr/bin/systemctl "$@"\n`;
    writeFileSync(join(node.root, "usr/local/bin/systemctl"), program, { mode: 0o755 });
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async poll(): Promise<void> {
    if (this.isBusy) return;
    this.isBusy = true;
    try {
      for (const name of readdirSync(this.folder)) {
        await this.cycle(name, "switch");
        rmSync(join(this.folder, name));
      }
      for (const node of this.nodes) {
        if (node.pid === undefined || !existsSync(join(node.root, REBOOT_FILE))) continue;
        rmSync(join(node.root, REBOOT_FILE));
        await this.cycle(node.name, "reboot");
      }
    } finally {
      this.isBusy = false;
    }
  }

  private async cycle(name: string, by: PowerCycle["by"]): Promise<void> {
    const node = this.nodes.find((one) => one.name === name)!;
    await node.powerOff();
    this.onOff(node);
    await node.powerOn();
    this.cycles.push({ node: name, by });
  }
}

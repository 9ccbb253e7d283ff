import { rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { findAgentPid } from "../faults/checks.js";
import type { LabNode } from "../lab/lab.js";
import type { NodeFault } from "./faultkinds.js";
import type { ProcessExit } from "./musterprocess.js";
import type { Scenario } from "./scenario.js";
import { fillSmall, freeSmall, workdirOf } from "./testbed.js";

/** How a run without this node may end. */
const EXITS_WITHOUT_NODE: ProcessExit[] = [69, "stranded"];
/** How a run may end while chunks fail on this node. */
const EXITS_WITH_FAILURES: ProcessExit[] = [...EXITS_WITHOUT_NODE, "partial"];
/** Times that a chunk's attempts may be used up: failures on a slot that is taken out are not counted against their chunks. */
const UNCOUNTED_ATTEMPT_FACTOR = 2;
/** How long chunks may go on failing in a folder that is gone. */
const DELETED_WORKDIR_FAILURES_MS = 3000;

/** What a fault has to do with executions: `expose` notes those that it may have lost on its node, `times` over. */
type Expose = (times?: number, margin?: number) => void;

/** Injects a fault of a node; false where there was no occasion for it. */
export async function injectNodeFault(scene: Scenario, fault: NodeFault): Promise<boolean> {
  const node = scene.nodes[fault.node]!;
  if (node.pid === undefined) return false;
  const safe = scene.original.committed();
  // A node may have begun executions that its workers have not noted yet.
  const unnoted = scene.plan.slots[fault.node]! * 2;
  const expose: Expose = (times = 1, margin = unnoted) => scene.allowance.expose(node, safe, margin, times);
  if ("forMs" in fault) return injectLasting(scene, node, fault, expose);
  switch (fault.kind) {
    case "restart-sshd":
      scene.during(0, EXITS_WITHOUT_NODE, () => {});
      await node.restartSshd();
      await node.dropConnections();
      return true;
    case "drop-connections":
      scene.during(0, EXITS_WITHOUT_NODE, () => {});
      await node.dropConnections();
      return true;
    case "kill-agent": {
      const agent = findAgentPid(node);
      if (agent === undefined) return false;
      kill(agent, "SIGKILL");
      expose();
      return true;
    }
    case "kill-processes": {
      const found = node.processes();
      for (const { pid } of found) kill(pid, "SIGKILL");
      scene.during(0, EXITS_WITHOUT_NODE, () => {});
      expose();
      return found.length > 0;
    }
    case "delete-workdir":
      await remove(workdirOf(scene.plan, node, fault.node));
      scene.during(DELETED_WORKDIR_FAILURES_MS, ["partial", "stranded"], () => {});
      expose(attemptsOf(scene), Number.POSITIVE_INFINITY);
      return true;
  }
}

/** The same of a fault that lasts for a while. */
async function injectLasting(
  scene: Scenario,
  node: LabNode,
  fault: Extract<NodeFault, { forMs: number }>,
  expose: Expose,
): Promise<boolean> {
  switch (fault.kind) {
    case "cut-off":
      await node.cutOff();
      scene.during(fault.forMs, EXITS_WITHOUT_NODE, async () => {
        await node.heal();
        expose();
      });
      return true;
    case "power-cycle":
      return cyclePower(scene, node, fault.forMs, expose);
    case "pause-agent": {
      const agent = findAgentPid(node);
      if (agent === undefined) return false;
      kill(agent, "SIGSTOP");
      scene.during(fault.forMs, EXITS_WITHOUT_NODE, () => {
        kill(agent, "SIGCONT");
        expose();
      });
      return true;
    }
    case "disk-full-node":
      await fillSmall(node);
      scene.during(fault.forMs, EXITS_WITH_FAILURES, async () => {
        await freeSmall(node);
        expose(attemptsOf(scene) * UNCOUNTED_ATTEMPT_FACTOR);
      });
      return true;
  }
}

async function cyclePower(scene: Scenario, node: LabNode, offMs: number, expose: Expose): Promise<boolean> {
  await node.powerOff();
  expose();
  if (offMs === 0) await node.powerOn();
  scene.during(offMs, EXITS_WITHOUT_NODE, () => node.powerOn());
  return true;
}

/** An agent may write there while it goes. */
async function remove(folder: string): Promise<void> {
  for (let tries = 0; ; tries++)
    try {
      return rmSync(folder, { recursive: true, force: true });
    } catch (error) {
      if (tries === 20) throw error;
      await sleep(5);
    }
}

function attemptsOf({ workload }: Scenario): number {
  return Math.max(...workload.jobs.map(({ job }) => job.plan.attempts));
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

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
/** How often the attempts of a chunk may be used up: failures on a quarantined slot do not count against their chunks. */
const UNCOUNTED_ATTEMPT_FACTOR = 2;
/** How long chunks may keep failing in a deleted folder. */
const DELETED_WORKDIR_FAILURES_MS = 3000;

/** Records that the fault may have lost the executions on its node, `times` times each. */
type Expose = (times?: number, margin?: number) => void;

/** Injects a fault of a node. Resolves with false if there was no opportunity. */
export async function injectNodeFault(scenario: Scenario, fault: NodeFault): Promise<boolean> {
  const node = scenario.nodes[fault.node]!;
  if (node.pid === undefined) return false;
  const safe = scenario.original.committed();
  // A node may have begun executions that its workers have not noted yet.
  const unnoted = scenario.plan.slots[fault.node]! * 2;
  const expose: Expose = (times = 1, margin = unnoted) => scenario.allowance.expose(node, safe, margin, times);
  if ("forMs" in fault) return injectLasting(scenario, node, fault, expose);
  switch (fault.kind) {
    case "restart-sshd":
      scenario.during(0, EXITS_WITHOUT_NODE, () => {});
      await node.restartSshd();
      await node.dropConnections();
      return true;
    case "drop-connections":
      scenario.during(0, EXITS_WITHOUT_NODE, () => {});
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
      const processes = node.processes();
      for (const { pid } of processes) kill(pid, "SIGKILL");
      scenario.during(0, EXITS_WITHOUT_NODE, () => {});
      expose();
      return processes.length > 0;
    }
    case "delete-workdir":
      await remove(workdirOf(scenario.plan, node, fault.node));
      scenario.during(DELETED_WORKDIR_FAILURES_MS, ["partial", "stranded"], () => {});
      expose(attemptsOf(scenario), Number.POSITIVE_INFINITY);
      return true;
  }
}

/** The same of a fault that lasts for a while. */
async function injectLasting(
  scenario: Scenario,
  node: LabNode,
  fault: Extract<NodeFault, { forMs: number }>,
  expose: Expose,
): Promise<boolean> {
  switch (fault.kind) {
    case "cut-off":
      await node.cutOff();
      scenario.during(fault.forMs, EXITS_WITHOUT_NODE, async () => {
        await node.heal();
        expose();
      });
      return true;
    case "power-cycle":
      return cyclePower(scenario, node, fault.forMs, expose);
    case "pause-agent": {
      const agent = findAgentPid(node);
      if (agent === undefined) return false;
      kill(agent, "SIGSTOP");
      scenario.during(fault.forMs, EXITS_WITHOUT_NODE, () => {
        kill(agent, "SIGCONT");
        expose();
      });
      return true;
    }
    case "disk-full-node":
      await fillSmall(node);
      scenario.during(fault.forMs, EXITS_WITH_FAILURES, async () => {
        await freeSmall(node);
        expose(attemptsOf(scenario) * UNCOUNTED_ATTEMPT_FACTOR);
      });
      return true;
  }
}

async function cyclePower(scenario: Scenario, node: LabNode, offMs: number, expose: Expose): Promise<boolean> {
  await node.powerOff();
  expose();
  if (offMs === 0) await node.powerOn();
  scenario.during(offMs, EXITS_WITHOUT_NODE, () => node.powerOn());
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

import type { Node } from "../../fleet/node.js";
import { NO_STATE } from "../../fleet/nodestate.js";
import type { LabNode } from "../lab/lab.js";

/** A node of the inventory with nothing special about it. */
export function createNode(change: Partial<Node> = {}): Node {
  return {
    name: "n",
    connection: "ssh",
    host: "n",
    profile: { name: "none", vendor: "none", env: {}, kernel: {}, limits: {}, settings: {} },
    tags: [],
    workdir: "~/.muster",
    python: "python3",
    env: {},
    silenceSeconds: 40,
    graceSeconds: 60,
    leaseSeconds: 2400,
    gpuCheckSeconds: 60,
    gpuSampleSeconds: 10,
    state: NO_STATE,
    ...change,
  };
}

/** The inventory's view of a machine of the lab. */
export function toInventoryNode(lab: LabNode, change: Partial<Node> = {}): Node {
  const { name, host, port, user, identityFile, knownHosts, workdir } = lab;
  return createNode({ name, host, port, user, identityFile, knownHosts, workdir, hostKeys: "strict", ...change });
}

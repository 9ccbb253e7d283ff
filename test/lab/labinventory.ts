import { writeFileSync } from "node:fs";
import { stringify } from "yaml";
import type { LabNode } from "./labnode.js";
import type { LabPlan } from "./labplan.js";

/** What a test changes in the inventory of a lab; `node` goes into every node's entry, `nodes` into the one it names. */
export interface InventoryChange {
  /** File name in the lab's folder. Default inventory.yaml. */
  file?: string;
  defaults?: Record<string, unknown>;
  node?: Record<string, unknown>;
  nodes?: Record<string, Record<string, unknown>>;
  /** Further top-level keys, e.g. `{ ramdisk: ... }`. */
  top?: Record<string, unknown>;
}

const profiles = {
  rx6600: {
    vendor: "amd",
    model: "RX 6600",
    vram: "8GiB",
    rate: 5000,
    env: { HSA_OVERRIDE_GFX_VERSION: "10.3.0", HSA_ENABLE_SDMA: "0", ROCM_PATH: "/opt/rocm", HIP_PATH: "/opt/rocm" },
    kernel: { "amdgpu.ppfeaturemask": "0xffff7fff" },
    limits: { sample_size: { best: 450, max: 1000 } },
  },
  rtx3080ti: { vendor: "nvidia", model: "RTX 3080 Ti", vram: "12GiB", rate: 29000 },
};

/** Writes an inventory of these nodes to `path`. */
export function writeInventory(path: string, plan: LabPlan, nodes: LabNode[], change: InventoryChange): void {
  const cards = { amd: { profile: "rx6600", gpus: plan.gpus }, nvidia: { profile: "rtx3080ti", gpus: plan.gpus } };
  const mixed = [
    { profile: "rtx3080ti", count: plan.nvidia },
    { profile: "rx6600", count: plan.gpus },
  ];
  const what = plan.vendor === "none" ? { slots: 2 } : plan.nvidia > 0 ? { gpus: mixed } : cards[plan.vendor];
  const entries = nodes.map((node): [string, unknown] => {
    const login = { host: node.host, port: node.port, user: node.user, workdir: node.workdir };
    return [node.name, { ...login, ...what, ...change.node, ...change.nodes?.[node.name] }];
  });
  const inventory = {
    defaults: {
      python: "/usr/bin/python3",
      identity_file: nodes[0]?.identityFile,
      known_hosts: nodes[0]?.knownHosts,
      ...change.defaults,
    },
    ...(plan.vendor === "none" ? {} : { profiles }),
    nodes: Object.fromEntries(entries),
    ...change.top,
  };
  writeFileSync(path, stringify(inventory));
}

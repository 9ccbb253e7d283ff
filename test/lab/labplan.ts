import type { SmiRelease } from "./fakegpus.js";
import type { SshdOptions } from "./sshd.js";

export interface LabOptions {
  /** How many, named node1, node2, ...; or their names. */
  nodes: number | string[];
  /** Cards of each node; 0 for none. Default 8. */
  gpus?: number;
  /** Default amd; "none" is a machine without cards. */
  vendor?: "amd" | "nvidia" | "none";
  /** NVIDIA's cards of each node, beside those of AMD. Default 0. */
  nvidia?: number;
  /** Which release's tools lie on the nodes; "none" leaves only sysfs. Default rocm6 or nvidia, by vendor. */
  smi?: SmiRelease | "none";
  sshd?: SshdOptions;
  /** Who the coordinator logs in as. Default root, or the test's own user where there are no machines. */
  user?: "root" | "rig";
  /** Path of a login shell on the nodes, e.g. /bin/dash. Needs root. */
  loginShell?: string;
  /** Text that sshd shows before, and start-up files of the login shell print after, log-in. */
  banner?: string;
  /** Kernel parameters, `module.parameter` -> value. Default: the feature mask that the profile wants. */
  kernel?: Record<string, string>;
  /** Whether systemd is the first process of the nodes. Ask `lackingSystemd()` first. */
  systemd?: boolean;
  /** Whether all nodes have the same /home/rig, as with a file server. Default false. */
  sharedHome?: boolean;
}

/** Options with everything decided. */
export interface LabPlan {
  names: string[];
  gpus: number;
  vendor: "amd" | "nvidia" | "none";
  nvidia: number;
  smi: SmiRelease | "none";
  sshd: SshdOptions;
  user: string;
  loginShell?: string;
  banner?: string;
  kernel: Record<string, string>;
  systemd: boolean;
  sharedHome: boolean;
}

/** Fills in the defaults. Pure. */
export function planLab(options: LabOptions, me: string): LabPlan {
  const vendor = options.gpus === 0 ? "none" : (options.vendor ?? "amd");
  const names =
    typeof options.nodes === "number"
      ? Array.from({ length: options.nodes }, (_, index) => `node${index + 1}`)
      : options.nodes;
  return {
    names,
    gpus: vendor === "none" ? 0 : (options.gpus ?? 8),
    vendor,
    nvidia: options.nvidia ?? 0,
    smi: options.smi ?? ({ amd: "rocm6", nvidia: "nvidia", none: "none" } as const)[vendor],
    sshd: options.sshd ?? {},
    user: options.user ?? me,
    loginShell: options.loginShell,
    banner: options.banner,
    kernel: options.kernel ?? (vendor === "amd" ? { "amdgpu.ppfeaturemask": "0xffff7fff" } : {}),
    systemd: options.systemd ?? false,
    sharedHome: options.sharedHome ?? false,
  };
}

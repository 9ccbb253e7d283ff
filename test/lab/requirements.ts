import { existsSync, readFileSync } from "node:fs";

/** Something that a lab on this machine cannot do. Tests skip with its message. */
export class LabUnsupportedError extends Error {
  readonly code: "NEEDS_ROOT" | "MISSING_PROGRAM" | "NO_ADDRESS";

  constructor(code: LabUnsupportedError["code"], message: string) {
    super(message);
    this.name = "LabUnsupportedError";
    this.code = code;
  }
}

/** Root builds whole machines (namespaces, own disk); anyone else gets plain sshds on high ports. */
export type LabKind = "machines" | "plain";

export function labKind(): LabKind {
  return process.getuid?.() === 0 && process.platform === "linux" ? "machines" : "plain";
}

/** The full path of a program, or undefined. Administrators' folders count though PATH may lack them. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/sbin", "/usr/local/sbin"];
  return folders.map((folder) => `${folder || "."}/${name}`).find((path) => existsSync(path));
}

/** What a lab of this kind needs, with the Debian package that brings it. */
const needed: Record<LabKind, [program: string, debianPackage: string][]> = {
  plain: [
    ["sshd", "openssh-server"],
    ["ssh", "openssh-client"],
    ["ssh-keygen", "openssh-client"],
    ["python3", "python3"],
    ["setpriv", "util-linux"],
  ],
  machines: [
    ["unshare", "util-linux"],
    ["nsenter", "util-linux"],
    ["mount", "mount"],
    ["nft", "nftables"],
  ],
};

/** Whether a lab can be started here; where not, `missing` says what to install. Use: `t.skip(missing)`. */
export function labAvailable(): { ok: true; kind: LabKind } | { ok: false; missing: string } {
  const kind = labKind();
  if (process.platform !== "linux") return { ok: false, missing: "the lab needs Linux" };
  const wanted = kind === "machines" ? [...needed.plain, ...needed.machines] : needed.plain;
  const absent = wanted.filter(([program]) => findProgram(program) === undefined);
  if (absent.length === 0) return { ok: true, kind };
  const packages = [...new Set(absent.map(([, debianPackage]) => debianPackage))];
  const names = absent.map(([program]) => program).join(", ");
  return { ok: false, missing: `the lab needs ${names}: apt-get install ${packages.join(" ")}` };
}

/** Why this lab cannot do what only whole machines can, e.g. `wholeMachines("power cycle")`; undefined where it can. */
export function wholeMachines(what: string): string | undefined {
  return labKind() === "machines" ? undefined : `needs root: ${what}`;
}

/** Why tests that need a lab are skipped here (`machines`: and what only whole machines can do); false where they can run. */
export function lacking(machines?: string): string | false {
  const available = labAvailable();
  if (!available.ok) return `no lab here: ${available.missing}`;
  return (machines !== undefined && wholeMachines(machines)) || false;
}

/** Where cgroups of version 2 are; undefined where there are none. */
export function cgroupRoot(): string | undefined {
  return /^\S+ (\S+) cgroup2 rw/m.exec(readFileSync("/proc/self/mounts", "utf8"))?.[1];
}

/** Why nodes cannot boot systemd here; false where they can. */
export function lackingSystemd(): string | false {
  const reason = lacking("systemd as a node's first process");
  if (reason !== false) return reason;
  if (!existsSync("/lib/systemd/systemd")) return "nodes with systemd need it here: apt-get install systemd";
  return cgroupRoot() === undefined && "nodes with systemd need cgroups of version 2";
}

/** Why nodes cannot run Slurm here (`startSlurm`); false where they can. */
export function lackingSlurm(): string | false {
  const reason = lacking("Slurm on nodes of the lab");
  if (reason !== false) return reason;
  const programs = ["slurmctld", "slurmd", "sbatch", "munged"];
  const absent = programs.filter((program) => findProgram(program) === undefined);
  return absent.length > 0 && `Slurm in the lab needs ${absent.join(", ")}: apt-get install slurm-wlm munge`;
}

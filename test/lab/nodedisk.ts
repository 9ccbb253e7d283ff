import { chmodSync, chownSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type GpuSetup, RTX_3080_TI, RX_6600 } from "./fakegpus.js";
import type { LabPlan } from "./labplan.js";
import { projectRoot } from "./project.js";

const RIG_UID = 4242;

/** The cards of a node of this plan; undefined where it has none. */
export function planGpus(plan: LabPlan): GpuSetup | undefined {
  if (plan.vendor === "none") return undefined;
  const card = plan.vendor === "amd" ? RX_6600 : RTX_3080_TI;
  const release = plan.smi === "none" ? (plan.vendor === "amd" ? "rocm6" : "nvidia") : plan.smi;
  const own = { vendor: card.vendor, model: card.model, vram: card.vram, count: plan.gpus, release };
  if (plan.nvidia === 0) return own;
  const { model, vram } = RTX_3080_TI;
  return { ...own, nvidia: { model, vram, count: plan.nvidia, release: "nvidia" } };
}

/** Writes what a new machine's disk holds beyond the coordinator's own system. `upper`: the overlay's upper folder. */
export function prepareDisk(upper: string, home: string, plan: LabPlan): void {
  for (const folder of [
    "etc/ssh",
    "etc/modprobe.d",
    "etc/default",
    "opt/rocm/bin",
    "usr/local/bin",
    "var/log",
    "root",
  ]) {
    mkdirSync(join(upper, folder), { recursive: true });
  }
  mkdirSync(home, { recursive: true, mode: 0o700 });
  chmodSync(join(upper, "root"), 0o700);
  prepareHome(join(upper, "home/rig"), plan);
  writeUsers(upper, plan.loginShell);
  if (plan.smi !== "none") placeTools(upper, plan.smi);
  if (plan.nvidia > 0) placeTools(upper, "nvidia");
  if (plan.banner !== undefined) {
    writeFileSync(join(upper, "etc/ssh/banner"), `${plan.banner}\n`);
    writeStartFiles(home, plan.banner);
  }
}

/** Makes the home of the user rig. */
export function prepareHome(folder: string, plan: LabPlan): void {
  mkdirSync(folder, { recursive: true });
  chownSync(folder, RIG_UID, RIG_UID);
  if (plan.banner !== undefined) writeStartFiles(folder, plan.banner);
}

function writeUsers(upper: string, loginShell: string | undefined): void {
  const shell = loginShell ?? "/bin/bash";
  const passwd = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => (line.startsWith("root:") ? line.replace(/[^:]*$/, shell) : line))
    .join("\n");
  writeFileSync(join(upper, "etc/passwd"), `${passwd.trimEnd()}\nrig:x:${RIG_UID}:${RIG_UID}:rig:/home/rig:${shell}\n`);
  writeFileSync(join(upper, "etc/group"), `${readFileSync("/etc/group", "utf8").trimEnd()}\nrig:x:${RIG_UID}:\n`);
  // No password fits, but the accounts are not locked: sshd refuses locked ones even with a key.
  writeFileSync(
    join(upper, "etc/shadow"),
    "root:*:19000:0:99999:7:::\nsshd:!:19000::::::\nrig:*:19000:0:99999:7:::\n",
    {
      mode: 0o600,
    },
  );
}

/** Where each release puts its tools. ROCm 5 has no amd-smi. */
const tools: Record<GpuSetup["release"], [file: string, folder: string][]> = {
  rocm5: [["rocm-smi", "opt/rocm/bin"]],
  rocm6: [
    ["rocm-smi", "opt/rocm/bin"],
    ["amd-smi", "opt/rocm/bin"],
  ],
  rocm7: [
    ["rocm-smi", "opt/rocm/bin"],
    ["amd-smi", "opt/rocm/bin"],
  ],
  nvidia: [["nvidia-smi", "usr/local/bin"]],
};

function placeTools(upper: string, release: GpuSetup["release"]): void {
  for (const [file, folder] of tools[release]) placeTool(file, join(upper, folder));
}

/** The tools of this release in a new folder of their own. */
export function collectTools(folder: string, release: GpuSetup["release"]): void {
  mkdirSync(folder);
  for (const [file] of tools[release]) placeTool(file, folder);
}

function placeTool(file: string, folder: string): void {
  const fakes = join(projectRoot(), "test/lab/fakes");
  cpSync(join(fakes, file), join(folder, file));
  chmodSync(join(folder, file), 0o755);
  for (const module of ["fake_gpus.py", "nvidia_settings.py"]) cpSync(join(fakes, module), join(folder, module));
}

/** The start-up files by which each shell greets even those who do not want to talk. */
function writeStartFiles(folder: string, banner: string): void {
  const text = banner.replaceAll("'", "");
  for (const file of [".bashrc", ".profile", ".zshenv", ".cshrc", ".tcshrc"]) {
    writeFileSync(join(folder, file), `echo '${text}'\n`);
  }
  mkdirSync(join(folder, ".config/fish"), { recursive: true });
  writeFileSync(join(folder, ".config/fish/config.fish"), `echo '${text}'\n`);
}

/** Folders of the coordinator that a node must not see, or a file that was never staged would be found all the same. */
export function listHiddenFolders(): string[] {
  const root = projectRoot();
  const homes = readdirSync("/home").map((name) => `/home/${name}`);
  return [root, ...homes.filter((home) => !root.startsWith(`${home}/`))];
}

import { chmodSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import t from "tap";
import type { ProbeOutput } from "../../fleet/gpus/probeoutput.js";
import { type Capture, readCaptures } from "../fleet/gpus/capture.js";
import type { LabNode } from "../lab/labnode.js";
import { shareLab } from "../lab/sharedlab.js";
import { runMuster } from "./startmuster.js";

/** One capture of each kind; the others take the same way. */
const SHOWN = {
  nvidia: ["nv-05-lost-in-csv", "nv-15-inforom", "nv-22-no-devices-dmesg-denied"],
  amd: ["amd-10-w7800-baco-stuck", "amd-14-w7900-asleep", "amd-18-no-driver", "amd-19-exit-2-good-json"],
};

const DEVICES = "sys/devices/pci0000:00";
const BUS = "sys/bus/pci/devices";

/** A shell function's body that prints what a tool has printed. */
function replay({ exit, stdout, stderr }: Pick<ProbeOutput, "exit" | "stdout" | "stderr">): string {
  const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  return `printf %s ${quote(stdout)}; printf %s ${quote(stderr)} >&2; exit ${exit}`;
}

/** Makes a node print what the node of a capture printed, and its kernel show the same GPUs. */
function become(node: LabNode, { vendor, answers, facts }: Capture): void {
  const put = (path: string, text: string) => {
    mkdirSync(dirname(join(node.root, path)), { recursive: true });
    writeFileSync(join(node.root, path), text);
  };
  const tool = (path: string, text: string) => {
    put(path, `#!/bin/sh\n${text}\n`);
    chmodSync(join(node.root, path), 0o755);
  };
  const [bus, first, second, , statuses] = answers;
  const fact = facts === null ? "exit 1" : replay({ exit: facts[1], stdout: facts[2], stderr: facts[3] });
  const isFacts = vendor === "nvidia" ? "*name,pci*" : "*showproductname*";
  const smi = vendor === "nvidia" ? "usr/local/bin/nvidia-smi" : "opt/rocm/bin/rocm-smi";
  tool(smi, `case "$*" in ${isFacts}) ${fact};; esac; ${replay(first!)}`);
  if (vendor === "nvidia") tool("usr/bin/dmesg", replay(second!));
  else rmSync(join(node.root, "opt/rocm/bin/amd-smi"), { force: true });
  for (const name of readdirSync(join(node.root, BUS))) rmSync(join(node.root, BUS, name));
  for (const line of bus!.stdout.trim().split("\n")) {
    const [pci, id] = line.split(" ");
    rmSync(join(node.root, DEVICES, pci!), { recursive: true, force: true });
    put(`${DEVICES}/${pci}/vendor`, `${id}\n`);
    put(`${DEVICES}/${pci}/class`, "0x030000\n");
    symlinkSync(`../../../devices/pci0000:00/${pci}`, join(node.root, BUS, pci!));
  }
  for (const line of statuses?.stdout.trim().split("\n") ?? []) {
    const [pci, status] = line.split(" ");
    put(`${DEVICES}/${pci}/power/runtime_status`, `${status}\n`);
  }
}

interface Drift {
  nodes: { resources: { playbook: string; differences: { what: string; have: string }[] }[] }[];
}

/** Returns what the playbook `gpu` says in the output of `verify --json` or `doctor --json`. */
function listDrift(out: string): string[] {
  const { nodes } = JSON.parse(out) as Drift;
  const resources = nodes.flatMap((node) => node.resources).filter(({ playbook }) => playbook === "gpu");
  return resources.flatMap(({ differences }) => differences.map(({ what, have }) => `${what}: ${have}`));
}

/** Returns what `nodes --json` says. */
function listHealth(out: string): string[] {
  const { nodes } = JSON.parse(out) as {
    nodes: { gpuHealth: { sick: Record<string, string>; toolError: string | null } }[];
  };
  return nodes.flatMap(({ gpuHealth: { sick, toolError } }) => [
    ...(toolError === null ? [] : [toolError]),
    ...Object.values(sick),
  ]);
}

/** Returns what `run` says of GPUs and their tool. */
function listWarnings(err: string): string[] {
  const matches = err.matchAll(/(?:cannot check its GPUs|slot \d+ is disabled): (.*)$/gm);
  return [...matches].map(([, sentence = ""]) => sentence);
}

for (const vendor of ["nvidia", "amd"] as const)
  t.test(`${vendor}: verify, doctor, nodes and run say the same of a real node`, async (t) => {
    const options = { nodes: ["rig"], gpus: 1, vendor };
    const { skip, shop, lab, nodes } = await shareLab(t, options, "a machine of its own");
    if (skip) return void t.pass(`skipped: ${skip}`);
    for (const capture of readCaptures().filter(({ id }) => SHOWN[vendor].includes(id))) {
      become(nodes[0]!, capture);
      const { sick, trouble } = capture.expect;
      const inventory = lab.inventory({ node: { gpus: capture.known.length }, defaults: { gpu_check: "200ms" } });
      const where = ["-i", inventory];
      const drift = await runMuster(["verify", "gpu", "--json", ...where]);
      const said = listDrift(drift.out);
      const isWell = sick.length === 0 && typeof trouble !== "string";
      t.equal(drift.code, isWell ? 0 : 2, `${capture.id}: ${drift.err}`);
      t.equal(said.filter((one) => one.startsWith("GPU ")).length, sick.length, said.join("; "));
      t.same(listDrift((await runMuster(["doctor", "--json", ...where])).out), said, "doctor");
      t.same(listHealth((await runMuster(["nodes", "--json", ...where])).out), said, "nodes");
      const job = { name: capture.id, kind: "matrix", matrix: { n: [0, 2] }, command: ["touch", "r"], outputs: ["r"] };
      const ran = await runMuster(["run", shop.write(`${capture.id}/job.yaml`, job), ...where]);
      t.same(listWarnings(ran.err), said, `run: ${ran.err}`);
      t.equal(ran.code, sick.length === capture.known.length ? 69 : 0, ran.err);
    }
  });

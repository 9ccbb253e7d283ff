import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { findProgram } from "../lab/requirements.js";

/** What a file of tests has left on this machine: files of its temporary folder, processes that work in it, and mounts there. */
export function findLeftovers(folder: string): string[] {
  const files = readdirSync(folder).map((name) => `file ${join(folder, name)}`);
  const processes = findProcessesIn(folder).map(({ pid, words }) => `process ${pid}: ${words}`);
  const mounts = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(`${folder}/`))
    .map((line) => `mount ${line.split(" ")[4]}`);
  return [...processes, ...mounts, ...files];
}

/** Rules of labs that are no more: a lab holds an abstract socket with its number as long as it is there. */
export function findOrphanedRules(): string[] {
  const nft = findProgram("nft");
  if (process.getuid?.() !== 0 || nft === undefined) return [];
  const tables = execFileSync(nft, ["list", "tables"], { encoding: "utf8" }).match(/\bmuster_lab_\d+$/gm) ?? [];
  const sockets = readFileSync("/proc/net/unix", "utf8");
  // The kernel shows the zero bytes around a name as @.
  const held = (table: string) =>
    new RegExp(`@muster-lab-${table.slice("muster_lab_".length)}(@|$)`, "m").test(sockets);
  return tables.filter((table) => !held(table)).map((table) => `nft table inet ${table}`);
}

/** Processes that have a temporary folder in their environment or on their command line; zombies have neither. */
export function findProcessesIn(folder: string): { pid: number; words: string }[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return [];
    const words = readIfExists(`/proc/${name}/cmdline`);
    if (![words, readIfExists(`/proc/${name}/environ`)].some((text) => text.includes(folder))) return [];
    return [{ pid: Number(name), words: words.replaceAll("\0", " ").trim() }];
  });
}

/** Empty where the process has just ended. */
function readIfExists(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return "";
  }
}

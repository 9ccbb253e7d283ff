import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { findProgram } from "../lab/requirements.js";

/** What a test file has left on this machine: files in its temporary folder, processes that use it, and mounts in it. */
export function findLeftovers(folder: string): string[] {
  const files = readdirSync(folder).map((name) => `file ${join(folder, name)}`);
  const processes = findProcessesIn(folder).map(({ pid, words }) => `process ${pid}: ${words}`);
  const mounts = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(`${folder}/`))
    .map((line) => `mount ${line.split(" ")[4]}`);
  return [...processes, ...mounts, ...files];
}

/** Firewall rules of labs that have ended: while a lab runs, it holds an abstract socket with its number. */
export function findOrphanedRules(): string[] {
  const nft = findProgram("nft");
  if (process.getuid?.() !== 0 || nft === undefined) return [];
  const tables = execFileSync(nft, ["list", "tables"], { encoding: "utf8" }).match(/\bmuster_lab_\d+$/gm) ?? [];
  const sockets = readFileSync("/proc/net/unix", "utf8");
  // The kernel shows the zero bytes around a name as @.
  const isHeld = (table: string) =>
    new RegExp(`@muster-lab-${table.slice("muster_lab_".length)}(@|$)`, "m").test(sockets);
  return tables.filter((table) => !isHeld(table)).map((table) => `nft table inet ${table}`);
}

/** Processes whose environment or command line names a temporary folder; zombies have neither. */
export function findProcessesIn(folder: string): { pid: number; words: string }[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return [];
    const words = readIfExists(`/proc/${name}/cmdline`);
    if (![words, readIfExists(`/proc/${name}/environ`)].some((text) => text.includes(folder))) return [];
    return [{ pid: Number(name), words: words.replaceAll("\0", " ").trim() }];
  });
}

/** The text of a file; empty where the process has just ended. */
function readIfExists(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return "";
  }
}

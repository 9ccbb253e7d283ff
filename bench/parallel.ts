import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Lab } from "../test/lab/lab.js";
import { findProgram } from "../test/lab/requirements.js";
import type { DispatchScore, NumberFeed } from "./mustercontestant.js";
import { runTimed } from "./timedrun.js";

const SLOTS = 8;

/** Installs GNU parallel and rsync, which it transfers with, if they are missing and this process may. Throws otherwise. */
export function installPeers(): void {
  const missing = [
    ["parallel", "parallel"],
    ["rsync", "rsync"],
  ].filter(([program]) => findProgram(program!) === undefined);
  if (missing.length === 0) return;
  const packages = missing.map(([, name]) => name!);
  if (process.getuid?.() !== 0 || findProgram("apt-get") === undefined) {
    throw new Error(`the comparison needs ${packages.join(" and ")}: apt-get install ${packages.join(" ")}`);
  }
  const words = ["install", "-y", "-q", "--no-install-recommends", ...packages];
  execFileSync("apt-get", words, {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  });
}

/**
 * Writes an ssh_config with the lab's nodes under their names and returns its path. `multiplexed`: one shared connection a
 * node, which must already be open.
 */
function sshConfig(lab: Lab, place: string, multiplexed: boolean): string {
  const hosts = lab.nodes.map(
    (node) => `Host ${node.name}\n  HostName ${node.host}\n  Port ${node.port}\n  User ${node.user}\n`,
  );
  const shared = `Host *\n  IdentityFile ${lab.nodes[0]!.identityFile}\n  IdentitiesOnly yes\n  BatchMode yes
  UserKnownHostsFile ${lab.knownHosts}\n  LogLevel ERROR\n`;
  const mux = multiplexed ? `  ControlMaster auto\n  ControlPath ${lab.folder}/mux-%h\n  ControlPersist 60\n` : "";
  const path = join(place, "ssh_config");
  writeFileSync(path, `${hosts.join("")}${shared}${mux}`);
  return path;
}

/**
 * Writes parallel's `--sshloginfile` with `slots` of each node into a folder and opens shared connections. Returns a
 * function that closes them.
 */
export function openHosts(lab: Lab, place: string, slots: (node: string) => number, multiplexed: boolean): () => void {
  const config = sshConfig(lab, place, multiplexed);
  const shared = multiplexed ? lab.nodes.map((node) => node.name) : [];
  for (const name of shared) execFileSync("ssh", ["-F", config, "-f", "-N", name], { stdio: "ignore" });
  const lines = lab.nodes.map(({ name }) => `${slots(name)}/ssh -F ${config} ${name}\n`);
  writeFileSync(join(place, "nodes"), lines.join(""));
  return () => {
    for (const name of shared) execFileSync("ssh", ["-F", config, "-O", "exit", name], { stdio: "ignore" });
  };
}

/**
 * Runs the chunks under GNU parallel, which returns the results and cleans up on the nodes. Results are in no folder of their own, and the
 * folder keeps a file: the clean-up after one job removes empty folders, also where the next one is about to write.
 */
export async function runParallel(
  lab: Lab,
  chunks: number,
  feed: NumberFeed,
  multiplexed: boolean,
): Promise<DispatchScore> {
  const how = multiplexed ? "multiplexed" : "plain ssh";
  const place = join(lab.folder, `parallel-${feed}-${multiplexed}`);
  mkdirSync(join(place, "in"), { recursive: true });
  const closeHosts = openHosts(lab, place, () => SLOTS, multiplexed);
  const numbers = Array.from({ length: chunks }, (_, n) => n);
  for (const n of feed === "file" ? numbers : []) writeFileSync(join(place, `in/${n}`), `${n}\n`);
  const transfer = feed === "file" ? ["--transferfile", "in/{}"] : [];
  const command = feed === "file" ? "cat in/{} > out-{}" : "echo {} > out-{}";
  writeFileSync(join(place, "keep"), "");
  const base = ["--sshloginfile", "nodes", "--wd", "/tmp/parallel", "--basefile", "keep"];
  const files = [...base, ...transfer, "--return", "out-{}", "--cleanup"];
  const ran = await runTimed(["parallel", "--will-cite", ...files, command], {
    cwd: place,
    limit: 600,
    stdin: `${numbers.join("\n")}\n`,
    env: { HOME: lab.folder },
  });
  const right = numbers.filter((n) => isRight(join(place, `out-${n}`), n)).length;
  closeHosts();
  const note = ran.code === 0 ? "" : `exit ${ran.code}: ${ran.stderr.trim().split("\n").at(-1) ?? ""}`;
  return { name: `GNU parallel, ${how} (number as ${feed})`, chunks, right, seconds: ran.seconds, note };
}

function isRight(file: string, n: number): boolean {
  return existsSync(file) && readFileSync(file, "utf8") === `${n}\n`;
}

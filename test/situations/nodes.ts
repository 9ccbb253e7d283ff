import { execFileSync } from "node:child_process";
import { join } from "node:path";
import type { Situation } from "./situation.js";

const JOB = "kind: range\nrange: [0, 10]\ncommand: [sh, -c, 'echo $0 > r.txt', \"{start}\"]\noutputs: [r.txt]\n";

function withNode(title: string, node: object, ...words: string[]): Situation {
  return {
    title,
    files: { "inventory.yaml": { defaults: { grace: "1s" }, nodes: { rig: node } }, "job.yaml": JOB },
    steps: [makeKey, words.length > 0 ? words : ["run", "job.yaml"]],
    env: { SSH_AUTH_SOCK: "" },
  };
}

/** Makes a key to log in with. */
function makeKey(folder: string): void {
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, "key")]);
}

/** A node does not work, or is not as it must be. Port 1 of this machine refuses connections. */
export const NODES: Situation[] = [
  withNode("a node that refuses connections", { host: "127.0.0.1", port: 1, identity_file: "key" }),
  withNode("a node that refuses connections, in nodes", { host: "127.0.0.1", port: 1, identity_file: "key" }, "nodes"),
  withNode(
    "a node that refuses connections, in verify",
    { host: "127.0.0.1", port: 1, identity_file: "key" },
    "verify",
    "host",
  ),
  {
    title: "no key to log in with",
    files: { "inventory.yaml": { nodes: { rig: { host: "127.0.0.1", port: 1, identity_file: "nokey" } } } },
    steps: [["nodes"]],
    env: { SSH_AUTH_SOCK: "" },
  },
  {
    title: "a node whose ProxyCommand fails",
    files: {
      "inventory.yaml": { nodes: { rig: { host: "behind", identity_file: "key" } } },
      ssh_config:
        "Host behind\n  HostName 127.0.0.1\n  ProxyCommand sh -c 'echo no route to the gateway >&2; exit 1'\n",
    },
    steps: [makeKey, ["nodes"]],
    env: { SSH_AUTH_SOCK: "", MUSTER_SSH_CONFIG: "ssh_config" },
  },
  withNode("a node without Python", { connection: "local", slots: 1, python: "python9" }),
  withNode("a node without Python, in nodes", { connection: "local", slots: 1, python: "python9" }, "nodes"),
  withNode(
    "a job for GPUs on a machine without one",
    { connection: "local", slots: 1 },
    "run",
    "job.yaml",
    "--set",
    "needs={vendor: amd}",
  ),
  withNode("a playbook that does not exist", { connection: "local", slots: 1 }, "verify", "ramdsik"),
  withNode("no playbooks at all", { connection: "local", slots: 1 }, "verify"),
  withNode(
    "a module that Python lacks",
    { connection: "local", slots: 1, python_modules: ["no_such_module"] },
    "verify",
    "python",
  ),
  withNode(
    "a module that provision cannot install",
    { connection: "local", slots: 1, python_modules: ["no_such_module"] },
    "provision",
    "python",
  ),
];

import { spawn } from "node:child_process";
import { join } from "node:path";
import t from "tap";
import { projectRoot } from "../lab/project.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { runMuster, startMuster, waitForExit } from "./startmuster.js";

const { skip, lab, inventory } = await shareLab(t, { nodes: 3 }, "names of their own");

const exec = (...words: string[]) => runMuster(["exec", "-i", inventory, ...words]);

t.test(
  "nodes with the same output are shown once, the others by themselves, in the inventory's order",
  { skip },
  async (t) => {
    const same = await exec("echo", "hello");
    t.match(same, { code: 0, out: "3 nodes (node1, node2, node3):\n    hello\n", err: "" });
    const script = `case $(hostname) in *2) echo other; echo why >&2; exit 7;; *) echo same;; esac`;
    const mixed = await exec("--", "sh", "-c", script);
    t.equal(mixed.code, 3);
    t.equal(mixed.out, "2 nodes (node1, node3):\n    same\nnode2:\n    (exit code 7)\n    other\n    why\n");
    const quiet = await exec("-q", "--", "sh", "-c", script);
    t.match(quiet, { code: 3, out: "node2:\n    (exit code 7)\n    other\n    why\n", err: "" });
    t.match(await exec("--limit", "node3", "true"), { code: 0, out: "node3:\n    (no output)\n" });
  },
);

t.test("arguments and stdin arrive byte for byte; options after the program are its own", { skip }, async (t) => {
  const words = ["a b", "$(touch /tmp/x)", "'\"`", "-n", "--json", "*", "ünï", "\\", "%s"];
  const ran = await exec("--json", "--limit", "node1", "printf", "%s\\n", ...words);
  t.same(JSON.parse(ran.out).nodes[0].stdout.split("\n"), [...words, ""]);
  const main = join(projectRoot(), "dist/bundle/cli/main.js");
  const child = spawn(process.execPath, [main, "exec", "-i", inventory, "--stdin", "--json", "sha256sum"]);
  child.stdin.end(Buffer.alloc(1 << 20, 7));
  const { code, out } = await waitForExit(child);
  t.equal(code, 0);
  const sums = new Set(JSON.parse(out).nodes.map(({ stdout }: { stdout: string }) => stdout));
  t.equal(sums.size, 1);
  t.match([...sums][0], /^[0-9a-f]{64} {2}-\n$/);
});

t.test("--stream prints whole lines as they arrive, after the name of their node", { skip }, async (t) => {
  const child = startMuster([
    "exec",
    "-i",
    inventory,
    "--limit",
    "node1,node2",
    "--stream",
    "--",
    "sh",
    "-c",
    "echo first; while [ ! -e go ]; do sleep 0.1; done; echo bad >&2; printf end; exit 2",
  ]);
  let printed = "";
  child.stdout!.on("data", (bytes) => {
    printed += bytes;
  });
  const ended = waitForExit(child);
  await waitUntil("both have begun", () => printed.split("\n").length === 3);
  t.same(printed.split("\n").sort(), ["", "node1: first", "node2: first"]);
  t.equal((await exec("--limit", "node1,node2", "touch", "go")).code, 0);
  const { code, out, err } = await ended;
  t.equal(code, 3);
  t.same(out.split("\n").sort(), ["", "node1: end", "node1: first", "node2: end", "node2: first"]);
  t.same(err.trimEnd().split("\n").sort(), [
    "node1: (exit code 2)",
    "node1: bad",
    "node2: (exit code 2)",
    "node2: bad",
  ]);
});

t.test("a timeout and an interrupt kill the program and its children on the node", { skip }, async (t) => {
  const script = "sleep 987 & sleep 987";
  const count = () => lab.nodes.flatMap((node) => node.processes()).filter(({ argv }) => argv.includes("987")).length;
  const late = await exec("--timeout", "1s", "--", "sh", "-c", script);
  t.match(late, { code: 3, out: /3 nodes .*:\n {4}\(killed after its timeout of 1 s\)\n/ });
  t.equal(count(), 0);
  const child = startMuster(["exec", "-i", inventory, "--", "sh", "-c", script]);
  const ended = waitForExit(child);
  await waitUntil("it runs everywhere", () => count() === 6);
  child.kill("SIGINT");
  t.match(await ended, { code: 130, out: /\(killed by SIGKILL\)/ });
  t.equal(count(), 0);
});

t.test("a node that is away, a program that is not there, and wrong usage", { skip }, async (t) => {
  await lab.nodes[2]!.rekey();
  const ran = await exec("true");
  t.match(ran, { code: 3, out: /^2 nodes \(node1, node2\):\n {4}\(no output\)\nnode3:\n {4}.*HOST KEY HAS CHANGED/s });
  t.match(await exec("--limit", "node3", "true"), { code: 69 });
  t.match(await exec("--limit", "node1", "no-such-program"), {
    code: 3,
    out: /\(exit code 127\)/,
    err: /^exec runs a program without a shell/m,
  });
  t.match(await exec(), { code: 64, err: /missing required argument 'command'/ });
  t.match(await exec("--stream", "--json", "true"), { code: 64, err: /--stream and --json exclude each other/ });
  t.match(await exec("--timeout", "soon", "true"), { code: 64, err: /--timeout soon: / });
});

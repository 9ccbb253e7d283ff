import t from "tap";
import type { NodeFacts } from "../../fleet/allfacts.js";
import type { Facts } from "../../fleet/facts.js";
import { createDefaultNode } from "../../fleet/mergenode.js";
import { buildNodesDocument, formatNodesTable, formatUnusableNodes } from "../../report/nodestable.js";
import { MusterError } from "../../schemas/errors.js";

const now = 1_800_000_000;
const facts: Facts = {
  hostname: "rig",
  boot: "b",
  booted: now - 3600,
  uptime: 3600,
  python: "3.10.12",
  cores: 6,
  memory: { total: 8 * 2 ** 30, available: 7 * 2 ** 30 },
  disk: { path: "/home/ci", free: 80 * 2 ** 30, total: 200 * 2 ** 30 },
  kernel: "6.8.0",
  home: "/home/ci",
  gpus: Array.from({ length: 8 }, (_, index) => ({
    vendor: "amd" as const,
    model: "AMD Radeon RX 6600",
    pci: `0000:0${index}:00.0`,
    vram: 8 * 2 ** 30,
    driver: "6.12.12",
  })),
  tools: { "amd-smi": null, "rocm-smi": "no answer within 5 s; killed" },
};
const ssh = { ...createDefaultNode("rig-6600"), connection: "ssh" as const, gpus: 8 };
const fine: NodeFacts = { node: ssh, facts, hostKey: `ssh-ed25519 SHA256:${"x".repeat(43)}`, gpuHealth: [] };
const reason = `connect to michael@zeus:22: the HOST KEY HAS CHANGED: it shows \u001b[31m${"key ".repeat(30)}`;
const lost: NodeFacts = {
  node: createDefaultNode("zeus"),
  error: new MusterError("HOST_KEY_CHANGED", reason, { next: "find out why", node: "zeus" }),
};

t.test("a row for each node in order, with details below, in 80 columns", async (t) => {
  const text = formatNodesTable([fine, lost], "all", now);
  for (const line of text.split("\n")) t.ok(line.length <= 80, line);
  t.match(
    text,
    /^node +gpus +memory +disk free +python +up\nrig-6600 +8 +8\.0 GiB +80\.0 GiB +3\.10\.12 +1 h 00 min\n/,
  );
  t.match(text, /8 x amd AMD Radeon RX 6600, 8\.0 GiB: 0000:00:00\.0 0000:01:00\.0/);
  t.match(text, /host key ok: ssh-ed25519 SHA256:x{43}\n/);
  t.match(text, /booted 2027-01-15 07:00 UTC/);
  t.match(text, /! rocm-smi: no answer within 5 s; killed/);
  t.match(text, /\nzeus +not usable\n {4}connect to michael@zeus:22: the HOST KEY HAS CHANGED/);
  t.match(text, /next: find out why/);
  t.notOk(text.includes("\u001b"), "nothing that a terminal would obey");
  t.ok(text.endsWith("\n1 of 2 nodes usable, 8 GPUs"));
});

t.test("warns about differences from the inventory", async (t) => {
  const short: NodeFacts = { node: { ...ssh, gpus: 9 }, facts: { ...facts, booted: now - 90000 }, gpuHealth: [] };
  const text = formatNodesTable([short], "usual", now);
  t.match(text, /! the inventory lists 9 GPUs, but 8 were found/);
  t.match(text, /! clock is 1 d 0 h behind/);
});

t.test("one JSON document, and only unusable nodes with --quiet", async (t) => {
  const { nodes, usable } = buildNodesDocument([fine, lost]);
  t.equal(usable, 1);
  t.match(nodes[0], { node: "rig-6600", usable: true, cores: 6, hostKey: /SHA256/ });
  t.match(nodes[1], { node: "zeus", usable: false, code: "HOST_KEY_CHANGED", next: "find out why" });
  t.match(formatUnusableNodes([fine, lost]), /^zeus\n {4}connect to/);
  t.equal(formatUnusableNodes([fine]), "");
});

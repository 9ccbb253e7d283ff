import t from "tap";
import { decideAdmission } from "../../playbooks/engine/admission.js";
import type { NodeReport } from "../../playbooks/engine/inspecteachnode.js";
import type { Verdict } from "../../playbooks/engine/resource.js";
import { buildDriftDocument, formatDrift, formatDriftTotal, isInSync } from "../../report/drifttext.js";
import { MusterError } from "../../schemas/errors.js";
import { createNode } from "../fleet/nodes.js";

const verdict = (change: Partial<Verdict>): Verdict => ({
  playbook: "p",
  resource: "r",
  state: "ok",
  differences: [],
  notes: [],
  ...change,
});
const long = `files /${"very/long/".repeat(12)}end`;
const reports: NodeReport[] = [
  {
    node: createNode({ name: "a" }),
    inspection: {
      fingerprint: "f",
      verdicts: [
        verdict({}),
        verdict({
          resource: long,
          state: "drift",
          differences: [{ what: "x\u001b[2J", have: "1", want: "2", diff: "-1\n+2\n" }],
        }),
        verdict({ resource: "k", state: "needs reboot", notes: ["soon"] }),
        verdict({ resource: "b", state: "blocked", reason: "k is not right" }),
      ],
    },
  },
  { node: createNode({ name: "b" }), skipped: "not rebooted" },
  { node: createNode({ name: "c" }), error: new MusterError("LOST", "gone", { next: "look", node: "c" }) },
  { node: createNode({ name: "d" }), error: new MusterError("HELD", "held", { node: "d" }) },
];

t.test("the table has a row for each resource with drift, in 80 columns", async (t) => {
  const text = formatDrift(reports, { rows: "all", diffs: false });
  for (const line of text.split("\n")) t.ok(line.length <= 80, line);
  t.match(text, /^a +r +ok$/m);
  t.match(text, /^a +files \/very.*….*\/end +drift\n {4}x\\x1b\[2J: 1; wanted: 2$/m);
  t.match(text, /^a +k +needs reboot\n {4}note: soon$/m);
  t.match(text, /^a +b +blocked\n {4}k is not right$/m);
  t.match(text, /^b +skipped$/m);
  t.match(text, /^c +unreachable\n {4}gone\n {4}next: look$/m);
  t.match(text, /^d +busy$/m);
  t.equal(
    formatDriftTotal(reports),
    "4 nodes: 1 resource ok, 1 with drift, 1 needs a reboot, 1 blocked, 1 node not rebooted, 1 node busy, 1 node unreachable",
  );
  t.match(formatDrift(reports, { rows: "all", diffs: true }), /wanted: 2\n-1\n\+2\n/);
});

t.test("what is in sync is counted, not listed", async (t) => {
  const text = formatDrift(reports, { rows: "trouble", diffs: false });
  t.notMatch(text, /^a +r |skipped/m);
  t.match(text, /unreachable/);
  const clean: NodeReport = { node: createNode(), inspection: { fingerprint: "f", verdicts: [verdict({})] } };
  t.equal(formatDrift([clean], { rows: "trouble", diffs: false }), "1 node: 1 resource ok");
  t.ok(isInSync([clean]));
  for (const report of reports.filter((one) => !("skipped" in one))) t.notOk(isInSync([report]));
});

t.test("drift that several nodes have in common is one block that names them", async (t) => {
  const drifted = (name: string, have: string): NodeReport => ({
    node: createNode({ name }),
    inspection: {
      fingerprint: "f",
      verdicts: [
        verdict({}),
        verdict({ resource: "k", state: "drift", differences: [{ what: "x", have, want: "2" }] }),
      ],
    },
  });
  const lost = (name: string): NodeReport => ({
    node: createNode({ name }),
    error: new MusterError("LOST", "gone", { node: name }),
  });
  const all = [drifted("a", "1"), drifted("b", "1"), drifted("c", "0"), lost("d"), lost("e")];
  t.equal(
    formatDrift(all, { rows: "trouble", diffs: false }),
    `${"node     resource".padEnd(68)}state
${"2 nodes  k".padEnd(68)}drift
    on a, b
    x: 1; wanted: 2
${"c        k".padEnd(68)}drift
    x: 0; wanted: 2
${"2 nodes".padEnd(68)}unreachable
    on d, e
    gone

5 nodes: 3 resources ok, 3 with drift, 2 nodes unreachable`,
  );
  const rows = formatDrift(all, { rows: "all", diffs: false }).match(/^[abc] +r +ok$/gm);
  t.equal(rows?.length, 3, "with -v, each resource that is ok is listed with its node");
});

t.test("the JSON document has the state of each node", async (t) => {
  const { nodes } = buildDriftDocument(reports);
  t.same(
    nodes.map(({ state }) => state),
    ["differs", "skipped", "unreachable", "busy"],
  );
  t.match(nodes[0], { fingerprint: "f", resources: [{ state: "ok" }, { differences: [{ have: "1", want: "2" }] }] });
});

t.test("only verified nodes get work", async (t) => {
  t.same(decideAdmission({ fingerprint: "f", verdicts: [verdict({ state: "changed" })] }), {
    ok: true,
    fingerprint: "f",
  });
  const [first] = reports;
  t.match(decideAdmission((first as Extract<NodeReport, { inspection: unknown }>).inspection), {
    ok: false,
    reason: /: drift \(.*: 1, wanted 2\); k: needs reboot; b: blocked \(k is not right\)$/,
  });
});

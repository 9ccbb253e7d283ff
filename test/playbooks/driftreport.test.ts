import t from "tap";
import { decideAdmission } from "../../playbooks/engine/admission.js";
import type { NodeReport } from "../../playbooks/engine/inspecteachnode.js";
import type { Verdict } from "../../playbooks/engine/resource.js";
import { buildDriftDocument, formatDrift, formatDriftTotal } from "../../report/drifttext.js";
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
    "4 nodes: 1 ok, 1 drift, 1 needs reboot, 1 blocked, 1 node not rebooted, 1 node busy, 1 node unreachable",
  );
  t.match(formatDrift(reports, { rows: "all", diffs: true }), /wanted: 2\n-1\n\+2\n/);
});

t.test("--quiet shows only problems", async (t) => {
  const text = formatDrift(reports, { rows: "trouble", diffs: false });
  t.notMatch(text, /^a +r |skipped/m);
  t.match(text, /unreachable/);
  const clean: NodeReport = { node: createNode(), inspection: { fingerprint: "f", verdicts: [verdict({})] } };
  t.equal(formatDrift([clean], { rows: "trouble", diffs: false }), "");
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

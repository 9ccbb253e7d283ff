import t from "tap";
import { countColumns } from "../../report/columns.js";
import { formatMetrics } from "../../report/prometheus.js";
import { buildUsageMetrics } from "../../report/usagemetrics.js";
import { buildUsageRows, formatEnergy, formatRunUsage, formatUsageTable, USAGE_HEADS } from "../../report/usagetext.js";
import { usage } from "./samples.js";

t.test("energies", async (t) => {
  t.same([0, 0.00001, 0.1234, 12.44, 870, 1240].map(formatEnergy), [
    "0 Wh",
    "<0.0001 Wh",
    "0.12 Wh",
    "12 Wh",
    "870 Wh",
    "1.2 kWh",
  ]);
});

t.test("the line of a run says how much was measured, where that is not nearly all", async (t) => {
  const totals = "1.5 Wh, 20 units/Wh, cost 0.00045, throttled by heat for 20 s, idle in chunks for 2 min 10 s";
  t.equal(formatRunUsage({ ...usage, computedSeconds: 42 }), `GPUs: ${totals}`);
  t.equal(formatRunUsage(usage), `GPUs: ${totals}; measured for 80 % of the time in which GPUs computed results`);
  const bare = { results: 1, seconds: 1, computedSeconds: 10, nodes: [] };
  t.equal(formatRunUsage(bare), "GPUs: measured for 10 % of the time in which GPUs computed results");
});

t.test("the table of a terminal", async (t) => {
  t.same(formatUsageTable(undefined), []);
  const [, ...rows] = formatUsageTable(usage);
  t.same(rows, [
    "node, GPU            Wh units/Wh    cost  busy       W        °C       throttled",
    "rig                 1.5       20 0.00045  98 %  98/101  63/80/82       heat 20 s",
    "  03:00.0           1.5       20 0.00045  98 %  98/101  63/80/82       heat 20 s",
  ]);
  t.ok(rows.every((row) => countColumns(row) <= 80));
  const heat = (seconds: number) =>
    formatUsageTable({ ...usage, nodes: [{ ...usage.nodes[0]!, throttled: { heat: seconds } }] })[2];
  t.match(heat(110), /heat 2 min$/, "rounded, not cut");
  t.match(heat(3600 * 1.34), /heat 1\.3 h$/);
});

t.test("the table of a page has every figure", async (t) => {
  const rows = buildUsageRows(usage);
  t.same(
    rows.map(([name]) => name),
    ["run", "rig", "    0000:03:00.0 RX 6600"],
  );
  t.ok(rows.every((cells) => cells.length === USAGE_HEADS.length));
  t.same(rows[0]!.slice(5, 8), ["98 % / 100 %", "1.0 GiB / 2.0 GiB", "98 / 101"]);
  t.same(rows[0]!.slice(-2), ["heat 20 s, power 1 min 30 s", "2 min 10 s"]);
});

t.test("metrics of run, node and card", async (t) => {
  const text = formatMetrics(buildUsageMetrics([{ labels: { run: "sieve" }, usage }]));
  for (const line of [
    'muster_run_energy_joules{run="sieve"} 5400',
    'muster_run_node_energy_joules{run="sieve",node="rig"} 5400',
    'muster_run_gpu_energy_joules{run="sieve",node="rig",gpu="0000:03:00.0",model="RX 6600"} 5400',
    'muster_run_units_per_watt_hour{run="sieve"} 20',
    'muster_run_node_energy_cost{run="sieve",node="rig"} 0.00045',
    'muster_run_gpu_power_watts_max{run="sieve",node="rig",gpu="0000:03:00.0",model="RX 6600"} 101',
    'muster_run_gpu_junction_temperature_celsius_mean{run="sieve",node="rig",gpu="0000:03:00.0",model="RX 6600"} 75',
    'muster_run_throttled_seconds{run="sieve",reason="heat"} 20',
    'muster_run_idle_seconds{run="sieve"} 130',
  ])
    t.ok(text.includes(`${line}\n`), line);
  t.equal(formatMetrics(buildUsageMetrics([])), "");
});

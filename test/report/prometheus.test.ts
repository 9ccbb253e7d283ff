import fc from "fast-check";
import parsePrometheus from "parse-prometheus-text-format";
import t from "tap";
import { formatMetrics } from "../../report/prometheus.js";

t.test("an independent parser reads any label and number back unchanged", async (t) => {
  // That parser does not unescape names and trims blanks, but names come from muster itself.
  const label = fc.string({
    unit: fc.constantFrom("a", "\\", '"', "\n", "{", "}", ",", "=", "é", "#", "n"),
    maxLength: 12,
  });
  const value = fc.oneof(fc.double({ noDefaultInfinity: true, noNaN: true }), fc.nat());
  fc.assert(
    fc.property(fc.array(fc.tuple(label, value), { minLength: 1, maxLength: 5 }), (pairs) => {
      const samples = pairs.map(([node, number], index) => ({ labels: { node, index: `${index}` }, value: number }));
      const [family] = parsePrometheus(formatMetrics([{ name: "muster_x", help: "Help.", samples }])) as {
        metrics: { value: string; labels: object }[];
      }[];
      return family!.metrics.every(
        (one, index) =>
          Number(one.value) === samples[index]!.value &&
          JSON.stringify(one.labels) === JSON.stringify(samples[index]!.labels),
      );
    }),
  );
  t.equal(formatMetrics([{ name: "muster_none", help: "Nothing.", samples: [] }]), "");
  t.match(
    formatMetrics([{ name: "x", help: "a\nb\\", samples: [{ labels: {}, value: Number.NaN }] }]),
    "# HELP x a\\nb\\\\\n# TYPE x gauge\nx NaN\n",
  );
});

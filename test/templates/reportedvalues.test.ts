import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { AgentAttachment, attachAgent, coordinatorNonces } from "./agentdriver.js";

t.setTimeout(600_000);

const slots = [0, 1, 2, 3].map((slot) => ({ slot, env: {} }));
const settings = { slots, progress: 1 };

const waitFor = (name: string) => `while [ ! -e ../../${name} ]; do sleep 0.1; done`;

/** Returns the values of an attempt that an attachment has received, by where they begin. */
function listValues({ messages }: AgentAttachment, id: string) {
  return messages.flatMap((message) => (message.ev === "values" && message.id === id ? [message] : []));
}

t.test(
  "values arrive once and in order, again from the first one after a reconnect, and with the result",
  async (t) => {
    const { folder, attachment } = await attachAgent(t, settings);
    const report = (text: string) => `printf '${text}' >> "$MUSTER_VALUES"`;
    attachment.start("a", {}, [
      `${report("0 1.5\\n1 nan\\n2 -")}; ${waitFor("more")}; ${report("2.5e-1\\n")}; ${waitFor("go")}; ${report("3 4\\n4 torn")}`,
    ]);
    await attachment.waitFor((one) => one.ev === "values");
    t.same(listValues(attachment, "a"), [
      {
        ev: "values",
        id: "a",
        from: 0,
        values: [
          [0, 1.5],
          [1, null],
        ],
      },
    ]);
    writeFileSync(join(folder.root, "more"), "");
    await attachment.waitFor((one) => one.ev === "values" && one.from === 2);
    t.same(listValues(attachment, "a")[1]?.values, [[2, -0.25]]);
    await attachment.disconnect();

    const second = new AgentAttachment(folder);
    await second.open({ ...settings, ...coordinatorNonces(2) });
    await second.waitFor((one) => one.ev === "values");
    const all = [
      [0, 1.5],
      [1, null],
      [2, -0.25],
    ];
    t.same(listValues(second, "a"), [{ ev: "values", id: "a", from: 0, values: all }]);
    writeFileSync(join(folder.root, "go"), "");
    const done = await second.waitForDone("a");
    t.same(done.values, [...all, [3, 4]], "the last line has no line break: it may be torn");
  },
);

t.test("values are bounded, and what is none is named once", async (t) => {
  const { attachment } = await attachAgent(t, settings);
  const many = `i=0; while [ $i -lt 10050 ]; do echo "$i 0.125"; i=$((i+1)); done > "$MUSTER_VALUES"`;
  const done = await attachment.run("many", many);
  t.equal(done.values?.length, 10_000);
  t.same(done.values?.at(-1), [9999, 0.125]);
  const odd = await attachment.run("odd", 'printf "loss is 3\\nepoch\\n5 0.5\\n-1 2\\n" > "$MUSTER_VALUES"');
  t.same(odd.values, [[5, 0.5]]);
  const link = await attachment.run("link", 'ln -s /etc/passwd "$MUSTER_VALUES"');
  t.equal(link.values, undefined);
  const problems = attachment.messages.flatMap((one) => (one.ev === "problem" ? [one.message] : []));
  t.equal(problems.length, 2);
  t.match(problems[0], /chunk chunk-many.*more than 10000 values/);
  t.match(problems[1], /chunk chunk-odd.*'loss is 3'/);
});

t.test("a cancel that keeps outputs has those that exist in the result", async (t) => {
  const { attachment } = await attachAgent(t, settings);
  const script = `trap 'echo late > b; exit 0' TERM; echo early > a; printf '1 2\\n' > "$MUSTER_VALUES"; ${waitFor("never")}`;
  attachment.start("a", { outputs: ["a", "b", "c"] }, [script]);
  await attachment.waitFor((one) => one.ev === "values");
  attachment.send({ op: "cancel", ids: ["a"], keep: true });
  const done = await attachment.waitForDone("a");
  t.match(done, { cancelled: true, stopped: true, exit: 0 });
  t.same(done.outputs.map(({ path }) => path).sort(), ["a", "b"]);
});

import { join } from "node:path";
import t from "tap";
import { SampledFleet } from "../../../fleet/gpus/sampledfleet.js";
import { makeKey } from "../../lab/sshd.js";
import { createNode } from "../nodes.js";

t.test("many nodes listen to one signal, and nothing is printed about it", async (t) => {
  const identityFile = join(t.testdir(), "key");
  await makeKey(identityFile, "test");
  const warnings: string[] = [];
  const note = ({ message }: Error) => warnings.push(message);
  process.on("warning", note);
  t.teardown(() => process.off("warning", note));
  const where = { host: "127.1.0.1", port: 9, identityFile };
  const nodes = Array.from({ length: 20 }, (_, index) => createNode({ name: `n${index}`, ...where }));
  const quit = new AbortController();
  const fleet = new SampledFleet(nodes, 2, quit.signal);
  await fleet.answered();
  t.ok(fleet.current.every(({ state }) => state === "away"));
  quit.abort();
  await fleet.ended;
  t.same(warnings, []);
});

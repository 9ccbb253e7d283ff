import t from "tap";
import { checkRunSettings } from "../../lib/runsettings.js";

t.test("settings of run", (t) => {
  const cases: [settings: Record<string, unknown>, says: RegExp | undefined][] = [
    [{}, undefined],
    [{ set: { x: 1, y: "two", z: true }, nodes: ["rigs"], maxNodes: 2, onEvent: () => {}, out: undefined }, undefined],
    [{ inventry: "x" }, /^run has no setting "inventry"$/],
    [{ set: ["x=1"] }, /^set: it must be an object of texts, numbers, true and false$/],
    [{ set: { x: {} } }, /^set: it must be/],
    [{ nodes: "rigs" }, /^nodes: it must be a list of texts$/],
    [{ maxNodes: 0 }, /^maxNodes: it must be a whole number of at least 1$/],
    [{ signal: {} }, /^signal: it must be an AbortSignal$/],
    [{ fresh: "yes" }, /^fresh: it must be true or false$/],
  ];
  for (const [settings, says] of cases) {
    const check = () => checkRunSettings(settings as object);
    if (says === undefined) t.doesNotThrow(check);
    else t.throws(check, { code: "USAGE", message: says });
  }
  t.end();
});

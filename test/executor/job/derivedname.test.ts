import t from "tap";
import { deriveName } from "../../../executor/job/derivedname.js";

const rules = { maxLength: 20, fallback: "pipeline", forbidden: /^\d+$/ };
const derive = (path: string) => deriveName(path, rules);

t.test("a safe name stays, and others differ where their files do", async (t) => {
  t.equal(derive("/x/nightly.yaml"), "nightly");
  t.equal(derive("a.b_c-1.yml"), "a.b_c-1");
  for (const [one, other] of [
    ["ночь.yaml", "день.yaml"],
    ["2024.yaml", "2025.yaml"],
    ["a+b.yaml", "a@b.yaml"],
    [`${"long".repeat(10)}1.yaml`, `${"long".repeat(10)}2.yaml`],
    [".hidden.yaml", "hidden.yaml"],
    ["a b.yaml", "a-b.yaml"],
  ] as const) {
    t.not(derive(one), derive(other), `${one} and ${other}`);
    t.match(derive(one), /^[A-Za-z][A-Za-z0-9_.-]{0,19}$/, one);
    t.equal(derive(one), derive(`/elsewhere/${one}`), "of the file name alone");
  }
  t.match(derive("ночь.yaml"), /^pipeline-[0-9a-f]{6}$/);
  t.match(derive("2024.yaml"), /^pipeline-[0-9a-f]{6}$/);
  t.match(derive("a+b.yaml"), /^a-b-[0-9a-f]{6}$/);
});

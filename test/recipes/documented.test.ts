import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { projectRoot } from "../lab/project.js";
import { listRecipes } from "./recipes.js";

const folder = join(projectRoot(), "test/recipes");
const tests = readdirSync(folder).filter((file) => file.endsWith(".test.ts"));
const used = tests.flatMap((file) =>
  [...readFileSync(join(folder, file), "utf8").matchAll(/readRecipe\("([^"]+)"\)/g)].map((match) => match[1]),
);

t.test("every recipe is run by a test, and is short", async (t) => {
  const recipes = listRecipes();
  t.same(recipes.map(({ file }) => file).sort(), used.sort());
  for (const { file, text } of recipes) {
    const lines = text.trimEnd().split("\n").length;
    t.ok(lines >= 5 && lines <= 15, `${file}: ${lines} lines`);
  }
});

t.test("every section is a recipe", async (t) => {
  const page = readFileSync(join(projectRoot(), "docs/recipes.md"), "utf8");
  t.equal(page.match(/^## /gm)?.length, listRecipes().length);
});

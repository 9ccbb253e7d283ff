import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { generated } from "../../schemas/generate.js";
import { projectRoot } from "../../templates/programfolder.js";

t.test("generated types and reference are up to date (otherwise: npm run generate)", async (t) => {
  for (const [path, content] of Object.entries(await generated())) {
    t.equal(readFileSync(join(projectRoot(), path), "utf8"), content, path);
  }
});

t.test("every key of every schema has a description", async (t) => {
  for (const name of ["inventory", "job", "jobs-file"]) {
    const schema = JSON.parse(readFileSync(join(projectRoot(), "schemas", `${name}.json`), "utf8"));
    const bare: string[] = [];
    visit(schema, "", (path, key) => {
      const isReference = typeof key.$ref === "string";
      if (!isReference && key.description === undefined && typeof key === "object") bare.push(path);
    });
    t.same(bare, [], name);
  }
});

type Schema = Record<string, unknown>;

function visit(schema: Schema, path: string, see: (path: string, key: Schema) => void): void {
  for (const [name, inner] of Object.entries((schema.properties as Record<string, Schema>) ?? {})) {
    see(`${path}/${name}`, inner);
    visit(inner, `${path}/${name}`, see);
  }
  for (const part of ["additionalProperties", "items"]) {
    if (typeof schema[part] === "object") visit(schema[part] as Schema, `${path}/${part}`, see);
  }
  for (const [name, inner] of Object.entries((schema.definitions as Record<string, Schema>) ?? {}))
    visit(inner, name, see);
}

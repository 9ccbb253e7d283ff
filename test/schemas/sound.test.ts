import { Ajv } from "ajv";
import t from "tap";
import { readSchema } from "../../schemas/ajv.js";

t.test("every schema is a JSON Schema: at run time they are not judged again", async (t) => {
  for (const name of ["inventory", "job", "jobs-file"] as const) {
    const ajv = new Ajv();
    t.ok(ajv.validateSchema(readSchema(name)), `${name}: ${ajv.errorsText()}`);
  }
});

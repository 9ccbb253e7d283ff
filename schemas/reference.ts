type Schema = Record<string, unknown>;

/** The schema that is being documented, and for each shared definition the key at which it has been described. */
interface Manual {
  root: Schema;
  seen: Map<string, string>;
}

/** Formats the reference manual of every key of every kind of file as Markdown. */
export function reference(schemas: Schema[]): string {
  const parts = schemas.map((schema) => section(schema));
  return `# Every key of every file

Generated from \`schemas/*.json\` by \`npm run generate\`; change these files, not this one. A key in **bold** is required.
Spans of time: \`500ms\`, \`60s\`, \`10m\`, \`1h30m\`, \`2d\`, or a number of seconds. Sizes: \`512MiB\`, \`8GiB\`, \`1G\` (powers of 1024), \`10GB\`
(powers of 1000), or a number of bytes. Power: \`100W\`, or a number of watts. Integers of any size are exact. All files are YAML 1.2 or JSON.

${parts.join("\n")}
## Environment variables

Those that muster reads:

${variableTable(READ_VARIABLES)}

Those that a program gets, beside those of its profile, its job and its GPU:

${variableTable(PROGRAM_VARIABLES)}
`;
}

const READ_VARIABLES = {
  MUSTER_INVENTORY: "The inventory where there is no `-i`.",
  MUSTER_SSH_CONFIG: "The configuration of ssh that is read instead of `~/.ssh/config`.",
  MUSTER_LOCK_FOLDER:
    "On a node: the folder of the locks between runs, instead of `/var/tmp/muster-UID`. Runs that share slots must agree on it.",
};

const PROGRAM_VARIABLES = {
  MUSTER_CHUNK: "The id of its chunk.",
  MUSTER_ATTEMPT: "The id of the attempt, different for each.",
  MUSTER_SLOT: "The number of its slot on the node.",
  MUSTER_RANGE: "The file through which it may share what it has not begun of its range.",
  MUSTER_PROGRESS:
    "The file into which it may write the share that is done (`0.25`), or how much of how much (`250 1000`), with a text behind that.",
  MUSTER_FAILURE:
    "The file into which it may write why it fails: `final REASON` where no retry can mend that, `retry REASON` otherwise.",
  MUSTER_TRY: "1 for the first attempt of the chunk.",
  MUSTER_START: "Of a range: its first unit.",
  MUSTER_END: "Of a range: the unit after its last one.",
  MUSTER_PARAMS: "`params` of the job, and the keys of a matrix, as JSON.",
  MUSTER_INPUTS: "The paths of its `inputs` as a list in JSON; absent where they take more than 64 KiB.",
  MUSTER_OUT: "The folder for its outputs.",
  MUSTER_GPU:
    "The index of its GPU on the node (where that has several kinds: among the GPUs of its vendor); the program sees this GPU as device 0.",
  MUSTER_DEADLINE: "When its timeout comes, in seconds of CLOCK_MONOTONIC.",
  MUSTER_ROOT: "The run's folder on the node. By this variable muster finds what is left of a run.",
};

function variableTable(variables: Readonly<Record<string, string>>): string {
  const rows = Object.entries(variables).map(([name, meaning]) => `| \`${name}\` | ${meaning} |`);
  return ["| variable | meaning |", "|---|---|", ...rows].join("\n");
}

function section(schema: Schema): string {
  const lines = [...keys({ root: schema, seen: new Map() }, schema, "")];
  return `## ${titleOf(String(schema.$id))}

${schema.description}

| key | type | meaning |
|---|---|---|
${lines.join("\n")}
`;
}

function titleOf(id: string): string {
  const titles: Record<string, string> = {
    inventory: "The inventory",
    job: "A job",
    "jobs-file": "A jobs file",
    pipeline: "A pipeline",
  };
  return titles[id] ?? id;
}

/** Yields a row for each key, followed by the rows of the keys inside it. */
function* keys(manual: Manual, object: Schema, prefix: string): Generator<string> {
  const required = new Set((object.required as string[] | undefined) ?? []);
  for (const [key, raw] of Object.entries((object.properties as Record<string, Schema> | undefined) ?? {})) {
    yield* rows(manual, raw, `${prefix}${key}`, required.has(key));
  }
  const free = object.additionalProperties;
  if (typeof free === "object" && free !== null && isWorthARow(manual.root, free as Schema)) {
    yield* rows(manual, free as Schema, `${prefix}NAME`, false);
  }
}

function* rows(manual: Manual, raw: Schema, path: string, isRequired: boolean): Generator<string> {
  const { root, seen } = manual;
  const schema = resolve(root, raw);
  const shown = isRequired ? `**\`${path}\`**` : `\`${path}\``;
  const before = typeof raw.$ref === "string" ? seen.get(raw.$ref) : undefined;
  if (before !== undefined) return yield `| ${shown} | ${kindOf(root, schema)} | As \`${before}\`. |`;
  if (typeof raw.$ref === "string") seen.set(raw.$ref, path);
  yield `| ${shown} | ${kindOf(root, schema)} | ${String(schema.description ?? "").replaceAll("|", "\\|")} |`;
  yield* keys(manual, schema, `${path}.`);
  const items = schema.items as Schema | undefined;
  if (items !== undefined) yield* keys(manual, resolve(root, items), `${path}[].`);
}

function isWorthARow(root: Schema, schema: Schema): boolean {
  return resolve(root, schema).description !== undefined;
}

function resolve(root: Schema, schema: Schema): Schema {
  const name = typeof schema.$ref === "string" ? schema.$ref.replace("#/definitions/", "") : undefined;
  return name === undefined ? schema : (root.definitions as Record<string, Schema>)[name]!;
}

function kindOf(root: Schema, schema: Schema): string {
  if (schema.quantity !== undefined)
    return (
      {
        size: "size",
        budget: "size",
        share: "share",
        part: "share or number",
        power: "power",
        price: "price",
        clocks: "`max` or list of two numbers",
        fan: "`auto` or share",
      }[String(schema.quantity)] ?? "span of time"
    );
  if (schema.enum !== undefined) return (schema.enum as string[]).map((value) => `\`${value}\``).join(", ");
  if (schema.scalar !== undefined) return "text, number or boolean";
  if (schema.whole !== undefined) return "integer";
  const words: Record<string, string> = { object: "mapping", array: "list", string: "text", null: "nothing" };
  if (schema.type === undefined) return "any";
  const types = Array.isArray(schema.type) ? schema.type : [schema.type];
  const named = types.map((type) => words[String(type)] ?? String(type)).join(" or ");
  const items = schema.items as Schema | undefined;
  if (items === undefined) return named;
  const inner = kindOf(root, resolve(root, items));
  return `list of ${inner === "mapping" ? "mappings" : inner}`;
}

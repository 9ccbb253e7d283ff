import type { Node } from "../fleet/node.js";
import type { NodeState, WantedTemplate } from "../fleet/nodestate.js";
import { decodeBytes, encodeBytes } from "../schemas/bytetext.js";
import { MusterError } from "../schemas/errors.js";
import { suggest } from "../schemas/suggest.js";
import { fileResource } from "./engine/fileresource.js";
import { readLocalBytes } from "./engine/localsource.js";
import { needsRoot } from "./engine/needsroot.js";
import type { PlaybookContext, Resource } from "./engine/resource.js";
import { readTemplateValue } from "./templates/readvalue.js";
import {
  listPlaceholders,
  type RenderedTemplate,
  type ResolvedValue,
  renderTemplate,
} from "./templates/rendertemplate.js";

const SECRET_MODE = 0o600;

/** Keeps files made from local templates: `templates` of the inventory, with its `values`. */
export default async function* templates({ node }: PlaybookContext): AsyncGenerator<Resource> {
  for (const [path, want] of Object.entries(node.state.templates)) {
    const { text, usesSecret } = await render(path, want, node);
    yield fileResource({
      path,
      content: encodeBytes(text),
      mode: want.mode !== undefined ? Number.parseInt(want.mode, 8) : usesSecret ? SECRET_MODE : undefined,
      owner: want.owner,
      become: needsRoot(path),
      secret: usesSecret,
      name: `template ${path}`,
    }) as Resource;
  }
}

/** Reads only the secrets that the template names. Rejects with a MusterError (SOURCE, COMMAND, PLAYBOOK). */
async function render(path: string, want: WantedTemplate, node: Node): Promise<RenderedTemplate> {
  const template = decodeBytes(readLocalBytes(want.source, `templates.${path}.source`));
  const values = await readValues(listPlaceholders(template), node);
  const rendered = renderTemplate(template, values);
  if ("text" in rendered) return rendered;
  const { name, line, column } = rendered;
  throw new MusterError("PLAYBOOK", `${want.source}:${line}:${column}: there is no value "${name}"`, {
    next:
      suggest(name, listNames(node.state)) ??
      `Add it to values in the inventory, or write {{${name}}} where {${name}} is meant.`,
  });
}

async function readValues(names: readonly string[], node: Node): Promise<Map<string, ResolvedValue>> {
  const own: Record<string, string> = { node: node.name, host: node.host, user: node.user ?? "" };
  const values = new Map<string, ResolvedValue>();
  for (const name of names) {
    const value = Object.hasOwn(node.state.values, name) ? node.state.values[name] : undefined;
    if (value !== undefined) values.set(name, await readTemplateValue(name, value));
    else if (Object.hasOwn(own, name)) values.set(name, { text: own[name]!, isSecret: false });
  }
  return values;
}

function listNames({ values }: NodeState): string[] {
  return [...Object.keys(values), "node", "host", "user"];
}

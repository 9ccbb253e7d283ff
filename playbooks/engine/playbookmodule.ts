import { pathToFileURL } from "node:url";
import { MusterError } from "../../schemas/errors.js";
import { importModule } from "./importmodule.js";
import type { Handlers, Playbook } from "./resource.js";

/** What a module of a playbook exports. */
export interface PlaybookModule {
  /** The file that it was read from. */
  file: string;
  /** Its default export. */
  playbook: Playbook;
  /** Playbooks that run before it. */
  needs: readonly string[];
  handlers: Handlers;
}

/**
 * Loads the module of the playbook `name`; one of muster's own needs no transpiling. Rejects with a MusterError (PLAYBOOK, exit 65) where an
 * export has the wrong type, and as `importModule` does.
 */
export async function loadPlaybookModule(name: string, file: string, isBuiltIn: boolean): Promise<PlaybookModule> {
  const module = (isBuiltIn ? await import(pathToFileURL(file).href) : await importModule(file)) as {
    default?: unknown;
    needs?: unknown;
    handlers?: unknown;
  };
  const { default: playbook, needs = [], handlers = {} } = module;
  if (typeof playbook !== "function")
    throw new MusterError("PLAYBOOK", `${file}: the playbook ${name} has no function as its default export`, {
      next: "Write `export default function* ({ node }) { yield ...; }`; `muster init playbook` writes one.",
    });
  if (!isTextList(needs))
    throw new MusterError("PLAYBOOK", `${file}: the export needs is no list of playbooks`, {
      next: 'Write `export const needs = ["packages"];`.',
    });
  if (!isHandlers(handlers))
    throw new MusterError("PLAYBOOK", `${file}: the export handlers is no object of functions`, {
      next: 'Write `export const handlers: Handlers = { "restart sshd": ({ $ }) => $`...` };`.',
    });
  return { file, playbook: playbook as Playbook, needs, handlers };
}

function isTextList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

function isHandlers(value: unknown): value is Handlers {
  return typeof value === "object" && value !== null && Object.values(value).every((one) => typeof one === "function");
}

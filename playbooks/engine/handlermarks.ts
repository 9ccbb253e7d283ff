import { createHash } from "node:crypto";
import { posix } from "node:path";
import { isJsonObject } from "../../schemas/isjsonobject.js";
import type { ChangeContext, FileState, Probe } from "./resource.js";

const MAX_MARK_BYTES = 65536;

/** Says that a handler has to run, because a resource has changed. */
interface HandlerMark {
  playbook: string;
  handler: string;
  resource: string;
}

/** Returns what asks a node for its marks. */
export function handlerMarksProbe(workdir: string): Probe {
  return { ask: "tree", path: folderOf(workdir), cap: MAX_MARK_BYTES };
}

/**
 * The marks of a node: a file for each handler and resource, written before the resource changes and removed when the handler has succeeded. So a
 * handler that could not run, because the connection was lost or muster was killed, is run by the next provision.
 */
export class HandlerMarks {
  private readonly marks = new Map<string, HandlerMark>();

  /** `answer`: what the node said; it may be anything. */
  constructor(
    private readonly workdir: string,
    answer: unknown,
  ) {
    if (!isJsonObject(answer)) return;
    for (const [file, state] of Object.entries(answer)) {
      const mark = parseMark(state as FileState | null);
      if (mark !== undefined && fileOf(mark) === file) this.marks.set(file, mark);
    }
  }

  /** Lists the resources that have changed since a handler ran. */
  list(playbook: string, handler: string): string[] {
    return [...this.marks.values()]
      .filter((mark) => mark.playbook === playbook && mark.handler === handler)
      .map(({ resource }) => resource);
  }

  /** Records on the node that a resource changes, so that these handlers have to run. Rejects as `place` does. */
  async record(context: ChangeContext, playbook: string, handlers: readonly string[], resource: string): Promise<void> {
    for (const handler of handlers) {
      const mark = { playbook, handler, resource };
      const file = fileOf(mark);
      if (this.marks.has(file)) continue;
      const content = Buffer.from(`${JSON.stringify(mark)}\n`);
      await context.place({ path: posix.join(folderOf(this.workdir), file), content });
      this.marks.set(file, mark);
    }
  }

  /** Removes the marks of a handler that has run for these resources. Rejects where the node does not remove them. */
  async clear(context: ChangeContext, playbook: string, handler: string, resources: readonly string[]): Promise<void> {
    const files = resources.map((resource) => fileOf({ playbook, handler, resource }));
    // Commands run in the home folder.
    const paths = files.map((file) => posix.join(folderOf(this.workdir).replace(/^~\//, ""), file));
    await context.$`rm -f -- ${paths.map((path) => (path.startsWith("/") ? path : `./${path}`))}`;
    for (const file of files) this.marks.delete(file);
  }
}

function folderOf(workdir: string): string {
  return posix.join(workdir, "handlers");
}

function fileOf({ playbook, handler, resource }: HandlerMark): string {
  return `${createHash("sha256")
    .update(JSON.stringify([playbook, handler, resource]))
    .digest("hex")
    .slice(0, 32)}.json`;
}

function parseMark(state: FileState | null): HandlerMark | undefined {
  if (typeof state?.content !== "string") return undefined;
  try {
    const mark: unknown = JSON.parse(Buffer.from(state.content, "base64").toString());
    if (!isJsonObject(mark)) return undefined;
    const { playbook, handler, resource } = mark;
    const isMark = typeof playbook === "string" && typeof handler === "string" && typeof resource === "string";
    return isMark ? { playbook, handler, resource } : undefined;
  } catch {
    return undefined;
  }
}

import { MusterError } from "../../schemas/errors.js";
import { findDiffProblem, findNotesProblem, findResourceProblem, type ResourceProblem } from "./checkresource.js";
import { formatCommandFailure } from "./remoteshell.js";
import type { Playbook, Resource } from "./resource.js";

/** The module that an author has written. Places are `file:line:column`. */
export interface AuthorModule {
  file: string;
  /** Returns the innermost place in a file of the author on the stack of an error. */
  locate(error: unknown): string | undefined;
  /** Returns where an object was yielded. */
  findPlace(value: unknown): string | undefined;
}

/**
 * Returns a playbook that yields the resources of `playbook`, and checks them and what their functions return, because nothing has checked the
 * types of its module. What they throw becomes a MusterError (PLAYBOOK, COMMAND) with the place in the author's file.
 */
export function guardPlaybook(playbook: Playbook, author: AuthorModule): Playbook {
  return async function* (context) {
    try {
      const resources: unknown = await playbook(context);
      if (!isIterable(resources))
        throw new MusterError(
          "PLAYBOOK",
          `${author.file}: the playbook must yield resources, or return a list of them`,
          {
            next: "Write `export default function* ({ node }) { yield ...; }`, with `async function*` where it awaits.",
          },
        );
      for await (const value of resources) {
        const place = author.findPlace(value) ?? author.file;
        rejectProblem(findResourceProblem(value), place);
        yield guardResource(value as Resource, place, author);
      }
    } catch (error) {
      throw explain(error, author, author.file);
    }
  };
}

/** `place`: where it was yielded. */
function guardResource(resource: Resource, place: string, author: AuthorModule): Resource {
  const { change, followUp, notes } = resource;
  const guarded: Partial<Resource> = {
    diff: (have) => {
      const found = attempt(() => resource.diff(have), author, place);
      rejectProblem(findDiffProblem(found, resource.name), place);
      return found;
    },
    notes:
      notes &&
      ((have) => {
        const found = attempt(() => notes.call(resource, have), author, place);
        rejectProblem(findNotesProblem(found, resource.name), place);
        return found;
      }),
    change: change && ((have, context) => attemptAsync(() => change.call(resource, have, context), author, place)),
    followUp: followUp && ((context) => attemptAsync(() => followUp.call(resource, context), author, place)),
  };
  // The other keys are those of the resource itself, which may be an instance of a class.
  return Object.assign(Object.create(resource), guarded);
}

function attempt<Result>(call: () => Result, author: AuthorModule, place: string): Result {
  try {
    return call();
  } catch (error) {
    throw explain(error, author, place);
  }
}

async function attemptAsync<Result>(call: () => Promise<Result>, author: AuthorModule, place: string): Promise<Result> {
  try {
    return await call();
  } catch (error) {
    throw explain(error, author, place);
  }
}

function rejectProblem(problem: ResourceProblem | undefined, place: string): void {
  if (problem !== undefined) throw new MusterError("PLAYBOOK", `${place}: ${problem.message}`, { next: problem.hint });
}

/**
 * Says where in the author's files an error comes from: `fallback` where its stack does not tell, e.g. that of a command. Errors of the node and
 * of connections stay as they are.
 */
function explain(error: unknown, author: AuthorModule, fallback: string): MusterError {
  const place = author.locate(error) ?? fallback;
  if (error instanceof MusterError) {
    const hasPlace =
      error.code !== "PLAYBOOK" || error.reason.startsWith(author.file) || /^\/.*:\d+:\d+: /.test(error.reason);
    return hasPlace ? error : new MusterError("PLAYBOOK", `${place}: ${error.reason}`, { next: error.next });
  }
  const failure = formatCommandFailure(error);
  if (failure !== undefined) return new MusterError("COMMAND", `${place}: ${failure}`);
  const message = error instanceof Error ? error.message : String(error);
  const isMissing = (error as NodeJS.ErrnoException | undefined)?.code === "ENOENT";
  const next = isMissing
    ? "Relative paths start from the current folder; `new URL('NAME', import.meta.url)` is beside the playbook."
    : undefined;
  return new MusterError("PLAYBOOK", `${place}: ${message}`, { next, cause: error });
}

function isIterable(value: unknown): value is AsyncIterable<unknown> | Iterable<unknown> {
  if (typeof value !== "object" || value === null) return false;
  return Symbol.iterator in value || Symbol.asyncIterator in value;
}

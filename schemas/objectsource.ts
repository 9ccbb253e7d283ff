import { type FilePosition, InvalidFileError } from "./errors.js";
import { parseJson } from "./jsonparser.js";
import { jsonProblem } from "./parsesource.js";
import { formatPlainJson } from "./plainjson.js";
import { type KeyPath, type ParsedText, Source } from "./source.js";
import { createInvalidFileError } from "./violations.js";

/** How messages name a job that is no file. */
const LABEL = "job";

/** A job that a program passes. Places in it are JSON pointers (RFC 6901), such as `job#/tasks/3/args`. */
class ObjectSource extends Source {
  readonly #folder: string;

  constructor(folder: string, text: string, parsed: ParsedText) {
    super(LABEL, text, parsed);
    this.#folder = folder;
  }

  override get folder(): string {
    return this.#folder;
  }

  override get path(): undefined {
    return undefined;
  }

  protected override locateParsed(path: KeyPath): FilePosition {
    return createPosition(path);
  }
}

/**
 * Creates the source of a job from a plain object. Relative paths in it start from `folder`, which is absolute. Throws InvalidFileError with every
 * value that is no plain data.
 */
export function createObjectSource(value: unknown, folder: string): Source {
  const formatted = formatPlainJson(value);
  if (formatted.ok) return parseObjectSource(formatted.text, folder);
  throw createInvalidFileError(formatted.problems.map(({ path, message }) => ({ ...createPosition(path), message })));
}

/** The same for an object in JSON. Throws InvalidFileError with the position of what is not JSON. */
export function parseObjectSource(text: string, folder: string): Source {
  const parsed = parseJson(text);
  if ("value" in parsed) return new ObjectSource(folder, text, parsed);
  throw new InvalidFileError([jsonProblem(LABEL, text, parsed)]);
}

/** `~` and `/` in keys are written as `~0` and `~1`. */
function createPosition(path: KeyPath): FilePosition {
  const parts = path.map((part) => `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`);
  return { file: LABEL, pointer: parts.join("") };
}

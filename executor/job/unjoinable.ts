import { posix } from "node:path";

/** A format whose files cannot be joined one after another, and what to do instead. */
interface UnjoinableFormat {
  readonly name: string;
  /** Endings of file names. */
  readonly extensions: readonly string[];
  /** How its files begin. */
  readonly magic?: string;
  readonly instead: string;
}

const MERGE = "declare it in outputs, and merge the files in a step that runs after the job";
const PRINT_ROWS =
  "have the program append lines of text, or declare it in outputs and merge the files in a later step";

const FORMATS: readonly UnjoinableFormat[] = [
  {
    name: "an SQLite database",
    extensions: [".db", ".sqlite", ".sqlite3"],
    magic: "SQLite format 3\0",
    instead: PRINT_ROWS,
  },
  { name: "a ZIP archive", extensions: [".zip", ".npz", ".xlsx", ".pt", ".pth"], magic: "PK\x03\x04", instead: MERGE },
  { name: "a NumPy array", extensions: [".npy"], magic: "\x93NUMPY", instead: MERGE },
  { name: "an HDF5 file", extensions: [".h5", ".hdf5"], magic: "\x89HDF\r\n\x1a\n", instead: MERGE },
  { name: "a Parquet file", extensions: [".parquet"], magic: "PAR1", instead: MERGE },
  { name: "a PNG image", extensions: [".png"], magic: "\x89PNG\r\n\x1a\n", instead: MERGE },
  {
    name: "a JSON document",
    extensions: [".json"],
    instead: "append JSON lines (.jsonl), or use aggregate: {as: array}",
  },
  { name: "a pickle", extensions: [".pkl", ".pickle"], instead: MERGE },
];

/** How many bytes of a file `findUnjoinableContent` needs. */
export const MAGIC_BYTES = 16;

/** Returns why files of this name cannot be joined, and what to do; undefined = their name allows it. */
export function findUnjoinableName(path: string): { message: string; hint: string } | undefined {
  const extension = posix.extname(path).toLowerCase();
  return explain(FORMATS.find(({ extensions }) => extensions.includes(extension)));
}

/** Returns why a file cannot be joined with others, and what to do; undefined = it can. `start`: its first bytes. */
export function findUnjoinableContent(start: Buffer): { message: string; hint: string } | undefined {
  const text = start.toString("latin1");
  return explain(FORMATS.find(({ magic }) => magic !== undefined && text.startsWith(magic)));
}

function explain(format: UnjoinableFormat | undefined): { message: string; hint: string } | undefined {
  return format && { message: `is ${format.name}, which cannot be joined by appending`, hint: format.instead };
}

/** One combination of values. `number` counts from 1. */
export interface ValueRow {
  number: number;
  values: readonly string[];
}

/** Values for a program: `names` are those of the columns, where they have any. */
export interface ValueTable {
  names: readonly string[];
  rows: readonly ValueRow[];
}

/** Returns all combinations of the values of several lists; those of the last one change first. */
export function combineLists(lists: readonly (readonly string[])[]): ValueTable {
  let combined: string[][] = [[]];
  for (const list of lists) combined = combined.flatMap((before) => list.map((value) => [...before, value]));
  return { names: [], rows: numberRows(combined) };
}

/** Returns the number of all combinations of the values of several lists. */
export function countCombinations(lists: readonly (readonly string[])[]): number {
  return lists.reduce((product, list) => product * list.length, 1);
}

/** Splits a text into values: its lines, or with `isNulSeparated` what lies between NUL characters. Empty ones are left out. */
export function splitValues(text: string, isNulSeparated: boolean): string[] {
  const values = isNulSeparated ? text.split("\0") : text.split(/\r?\n/);
  return values.filter((value) => value !== "");
}

/** The table in a CSV text (RFC 4180) whose first row names the columns, or what is wrong with it. `line` counts from 1. */
export type CsvTable = { ok: true; table: ValueTable } | { ok: false; line: number; message: string };

/** Parses a CSV text whose first row names the columns. Empty lines are left out. */
export function parseCsv(text: string): CsvTable {
  const records = splitRecords(text.replace(/^\ufeff/, ""));
  if (!Array.isArray(records)) return { ok: false, ...records };
  const [header, ...rows] = records;
  if (header === undefined) return { ok: false, line: 1, message: "there is no row with the names of the columns" };
  const names = header.fields.map((name) => name.trim());
  const wrong = names.find((name, at) => !/^[A-Za-z_]\w*$/.test(name) || names.indexOf(name) !== at);
  if (wrong !== undefined)
    return {
      ok: false,
      line: 1,
      message: `"${wrong}" cannot name a column: a letter, then letters, digits and _, each once`,
    };
  const odd = rows.find(({ fields }) => fields.length !== names.length);
  if (odd !== undefined)
    return {
      ok: false,
      line: odd.line,
      message: `the row has ${odd.fields.length} values for ${names.length} columns`,
    };
  return { ok: true, table: { names, rows: numberRows(rows.map(({ fields }) => fields)) } };
}

interface CsvRecord {
  line: number;
  fields: string[];
}

/** A field in quotes with its doubled quotes, or one without; then what ends it. */
const FIELD = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/gy;

function splitRecords(text: string): CsvRecord[] | { line: number; message: string } {
  const records: CsvRecord[] = [];
  let [line, fields]: [number, string[]] = [1, []];
  FIELD.lastIndex = 0;
  for (let at = 0; at < text.length || fields.length > 0; ) {
    const start = line;
    FIELD.lastIndex = at;
    const match = FIELD.exec(text);
    if (match === null) return { line, message: "a quote is not closed, or stands within a value" };
    at = FIELD.lastIndex;
    fields.push(match[1]?.replaceAll('""', '"') ?? match[2]!);
    line += match[0].split("\n").length - 1;
    if (match[3] === ",") continue;
    if (fields.length > 1 || fields[0] !== "") records.push({ line: start, fields });
    fields = [];
  }
  return records;
}

function numberRows(rows: readonly string[][]): ValueRow[] {
  return rows.map((values, at) => ({ number: at + 1, values }));
}

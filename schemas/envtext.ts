/** Something wrong in a line (from 1) of a file of variables. It quotes only names of variables, because the values are secrets. */
export interface EnvFault {
  line: number;
  fault: string;
  hint: string;
}

/** Parses lines `KEY=VALUE`, empty lines, and comments that begin with #. Returns the variables, and what is wrong. */
export function parseEnvText(text: string): { env: Record<string, string>; faults: EnvFault[] } {
  const env: Record<string, string> = {};
  const faults: EnvFault[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const parsed = parseLine(line);
    if (parsed === undefined) continue;
    const fault =
      "fault" in parsed ? parsed : Object.hasOwn(env, parsed.name) ? duplicateFault(parsed.name) : undefined;
    if (fault !== undefined) faults.push({ line: index + 1, ...fault });
    else if ("name" in parsed) env[parsed.name] = parsed.value;
  }
  return { env, faults };
}

type EnvLine = { name: string; value: string } | { fault: string; hint: string } | undefined;

/** Parses a line; undefined for an empty line or a comment. */
function parseLine(line: string): EnvLine {
  const text = line.trim();
  if (text === "" || text.startsWith("#")) return undefined;
  const at = text.indexOf("=");
  const name = text.slice(0, Math.max(0, at)).trimEnd();
  if (at < 0) return { fault: "is not KEY=VALUE", hint: "a comment begins with #" };
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
    return {
      fault: "the name before = must contain only letters, digits and _, and not begin with a digit",
      hint: "as in KEY=VALUE",
    };
  const value = text.slice(at + 1).trimStart();
  if (value.includes("\0"))
    return { fault: `${name} contains a NUL character, which a variable cannot hold`, hint: "remove it" };
  const quote = value[0];
  if (quote !== '"' && quote !== "'") return { name, value };
  if (value.length > 1 && value.endsWith(quote)) return { name, value: value.slice(1, -1) };
  return { fault: `${name} has an opening quote that is not closed`, hint: `end the line with ${quote}` };
}

function duplicateFault(name: string): { fault: string; hint: string } {
  return { fault: `${name} appears twice`, hint: "keep one of them" };
}

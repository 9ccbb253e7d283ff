import { isJsonObject } from "../../../schemas/isjsonobject.js";
/**
 * Returns where two JSON values differ, as a path like `hits[3].score` with both values; undefined if they have the same structure and
 * their numbers differ by at most `tolerance` times the larger one, or `tolerance` itself where both are below 1.
 */
export function findJsonDifference(one: unknown, other: unknown, tolerance: number, path = ""): string | undefined {
  if (typeof one === "number" && typeof other === "number") {
    const apart = Math.abs(one - other);
    return apart <= tolerance * Math.max(1, Math.abs(one), Math.abs(other))
      ? undefined
      : describeDifference(path, one, other);
  }
  if (Array.isArray(one) && Array.isArray(other)) {
    if (one.length !== other.length) return `${path || "it"} has ${one.length} and ${other.length} entries`;
    for (const [index, value] of one.entries()) {
      const found = findJsonDifference(value, other[index], tolerance, `${path}[${index}]`);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  if (isJsonObject(one) && isJsonObject(other)) {
    for (const key of new Set([...Object.keys(one), ...Object.keys(other)])) {
      const there = [one, other].map((value) => Object.hasOwn(value, key));
      if (there.includes(false)) return `${path === "" ? key : `${path}.${key}`} is in one of them alone`;
      const found = findJsonDifference(one[key], other[key], tolerance, path === "" ? key : `${path}.${key}`);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  return one === other ? undefined : describeDifference(path, one, other);
}

function describeDifference(path: string, one: unknown, other: unknown): string {
  const [a, b] = [one, other].map((value) => String(JSON.stringify(value)).slice(0, 60));
  return `${path || "it"} is ${a} and ${b}`;
}

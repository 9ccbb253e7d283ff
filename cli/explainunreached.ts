/** Returns why a node did not answer, and on a second line what to do. */
export function explainUnreached(name: string, reason: string, next: string | undefined): string {
  return next === undefined ? `${name}: ${reason}` : `${name}: ${reason}\n  next: ${next}`;
}

/**
 * Where a command prints: results to `out`, progress and errors to `err`. Each call passes whole lines. The implementation escapes
 * the text for a terminal (schemas/escape.ts). JSON from `formatJson` is safe already.
 */
export interface Writers {
  out(text: string): void;
  err(text: string): void;
}

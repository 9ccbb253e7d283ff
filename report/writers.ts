/**
 * Where a verb prints: results on `out`, progress and errors on `err`. Each call is whole lines. An implementation makes the text
 * safe for a terminal (schemas/printable.ts), so no caller can forget to. JSON comes from `jsonText` there, which is safe already.
 */
export interface Writers {
  out(text: string): void;
  err(text: string): void;
}

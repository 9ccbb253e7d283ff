/** Where a verb prints: results on `out`, progress and errors on `err`. Each call is whole lines. */
export interface Writers {
  out(text: string): void;
  err(text: string): void;
}

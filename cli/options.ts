/** Options that every verb takes. */
export interface CommonOptions {
  inventory?: string;
  limit?: string;
  json?: boolean;
  quiet?: boolean;
  verbose?: boolean;
  color?: boolean;
}

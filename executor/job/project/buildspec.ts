/** How a project is built on a node, once for many attempts. */
export interface BuildSpec {
  readonly command: readonly string[];
  /** Files, folders and globs, relative to the working directory. */
  readonly outputs: readonly string[];
  /** The environment of the job, with that of the build over it. */
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutSeconds: number;
  /** Whether the result depends on the model of the node's GPUs. */
  readonly isPerGpu: boolean;
}

/** What the lab and its supervisor say to each other, one JSON object a line. */
export interface StartNode {
  name: string;
  argv: string[];
  env: Record<string, string>;
}

export type ToSupervisor =
  | { id: number; op: "start"; node: StartNode }
  /** Everything that the node runs, at once. Answered when it is gone. */
  | { id: number; op: "kill"; name: string };

/** `id: 0` is the greeting. `block`: addresses 127.0.BLOCK.N are this lab's. `pid`: the node's init as seen from outside. */
export interface FromSupervisor {
  id: number;
  error?: string;
  pid?: number;
  block?: number;
  table?: string;
  port22?: boolean;
}

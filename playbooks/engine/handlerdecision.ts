import type { ResourceState } from "./resource.js";

/** What is to be done about a handler. `due`: resources that have changed since it ran; `coming`: those whose change would notify it. */
export type HandlerDecision =
  | { do: "run"; due: readonly string[]; coming: readonly string[] }
  | { do: "wait"; until: string }
  | { do: "nothing" };

/** A resource that notifies the handler, as it is now. `canChange`: whether it can be brought into its state. */
export interface Notifier {
  resource: string;
  state: ResourceState;
  canChange: boolean;
}

/**
 * Pure: decides about a handler once its playbook has been through. `marked`: the resources whose change the node has on record since the handler
 * ran, also of earlier provisions. A resource whose change has failed does not count before it is in sync.
 */
export function decideHandler(marked: readonly string[], notifiers: readonly Notifier[]): HandlerDecision {
  const isUnfinished = (name: string) =>
    notifiers.some(({ resource, state }) => resource === name && (state === "failed" || state === "blocked"));
  const due = marked.filter((name) => !isUnfinished(name));
  const coming = notifiers
    .filter(({ resource, state, canChange }) => state === "drift" && canChange && !marked.includes(resource))
    .map(({ resource }) => resource);
  if (due.length + coming.length > 0) return { do: "run", due, coming };
  return marked[0] === undefined ? { do: "nothing" } : { do: "wait", until: marked[0] };
}

/** Warnings about a node whose connection is lost. */
export const WAITING_FOR_SILENT_NODE = "it is silent; the run waits for it, so that nothing stays there";
export const UNREACHED_AT_END = "it could not be reached at the end: what is there goes when the agent's lease ends";
export const UNSTABLE_CONNECTION = "its connection keeps failing, its chunks go to others";

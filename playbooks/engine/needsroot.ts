/** Whether a file of the node belongs to root: all outside of the user's home folder, as the inventory writes it. */
export function needsRoot(path: string): boolean {
  return path !== "~" && !path.startsWith("~/");
}

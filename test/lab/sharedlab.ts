import type { Test } from "tap";
import { TestFolder } from "../cli/startmuster.js";
import { type Lab, type LabNode, type LabOptions, startLab } from "./lab.js";
import { lacking } from "./requirements.js";

/** What the tests of one file have in common. */
export interface SharedLab {
  /** Why no test that needs the lab can run here; false where they can. */
  skip: string | false;
  /** A folder for the tests' own files. */
  shop: TestFolder;
  /** There unless `skip` says why not. */
  lab: Lab;
  /** The lab's nodes; none where there is no lab. */
  nodes: LabNode[];
  /** The lab's inventory as it is; empty where there is no lab. */
  inventory: string;
}

/**
 * Starts a lab and opens a folder for all tests of a file; both are gone when `t`, the file's root test, ends. `machines` names
 * what only nodes that are whole machines can do, e.g. `"cutting nodes off"`, where the tests need that.
 */
export async function shareLab(t: Pick<Test, "teardown">, options: LabOptions, machines?: string): Promise<SharedLab> {
  const skip = lacking(machines);
  const lab = skip ? undefined : await startLab(options);
  const shop = new TestFolder();
  // Not earlier: from the first teardown on a root test ends as soon as it has nothing to do.
  t.teardown(async () => {
    shop.remove();
    await lab?.stop();
  });
  return { skip, shop, lab: lab as Lab, nodes: [...(lab?.nodes ?? [])], inventory: lab?.inventory() ?? "" };
}

/** The API of playbooks, a part of what "muster" exports. Each function also has the longer name that earlier playbooks use. */
export { checkoutResource, checkoutResource as git } from "../git.js";
export { groupResource, groupResource as group } from "../groups.js";
export { linesResource, linesResource as lines } from "../lines.js";
export { moduleResource, moduleResource as module } from "../modules.js";
export { mountResource, mountResource as mount } from "../mounts.js";
export { packageSourceResource, packageSourceResource as packageSource } from "../packages/packagesource.js";
export { packagesResource, packagesResource as packages } from "../packages.js";
export { unitResource, unitResource as service } from "../services.js";
export { copiedFile, fileResource, fileResource as file, type WantedFile } from "./fileresource.js";
export { folderResource, folderResource as folder, type WantedFolder } from "./folderresource.js";
export type { NodeShell } from "./nodeshell.js";
export type {
  AccessState,
  ChangeContext,
  CommandState,
  Difference,
  FileState,
  Handler,
  Handlers,
  MemoryState,
  ModulesState,
  Playbook,
  PlaybookContext,
  Probe,
  Resource,
  TreeState,
  Verdict,
} from "./resource.js";

/** What a playbook may import from "muster". */
export { copiedFile, fileResource, type WantedFile } from "./file.js";
export { folderResource, type WantedFolder } from "./folder.js";
export type {
  AccessState,
  CommandState,
  Difference,
  FileState,
  Hands,
  MemoryState,
  ModulesState,
  Playbook,
  Probe,
  Resource,
  Subject,
  TreeState,
} from "./resource.js";

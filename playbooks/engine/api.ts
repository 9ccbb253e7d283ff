/** The API that a user's playbook can import from "muster". */
export { copiedFile, fileResource, type WantedFile } from "./fileresource.js";
export { folderResource, type WantedFolder } from "./folderresource.js";
export type {
  AccessState,
  ChangeContext,
  CommandState,
  Difference,
  FileState,
  MemoryState,
  ModulesState,
  Playbook,
  PlaybookContext,
  Probe,
  Resource,
  TreeState,
} from "./resource.js";

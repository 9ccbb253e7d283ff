export { createSudoError, runAsRoot } from "../../fleet/runasroot.js";

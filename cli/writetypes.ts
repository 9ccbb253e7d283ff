/** Writes the types of the package "muster" into one file. `./build types` calls this after the compiler has made the declarations of each module. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildFolder } from "../templates/programfolder.js";
import { bundleDeclarations } from "./declarations.js";

const entry = join(buildFolder(), "declarations/lib/index.d.ts");
writeFileSync(join(buildFolder(), "bundle/lib/index.d.ts"), bundleDeclarations(entry));

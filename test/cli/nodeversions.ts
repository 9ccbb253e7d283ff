import { execFile } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

/** The platform for which the package registry has Node.js in packages. */
const PLATFORM = "linux-x64";
const FETCH_SECONDS = 120;

const run = promisify(execFile);

/**
 * Fetches the program `node` of a major version into `folder`, from the registry that npm uses. Resolves with why that cannot be done;
 * with undefined where the program is there.
 */
export async function fetchNode(major: number, folder: string): Promise<string | undefined> {
  if (`${process.platform}-${process.arch}` !== PLATFORM) return `Node.js ${major} is fetched for ${PLATFORM} only`;
  mkdirSync(folder, { recursive: true });
  // Not a timer of this process: it is busy meanwhile, and would end npm although that is done.
  const words = [`${FETCH_SECONDS}`, "npm", "pack", `node-${PLATFORM}@${major}`, "--fetch-retries=0"];
  const options = { cwd: folder, env: { ...process.env, npm_config_cache: join(folder, "npm-cache") } };
  try {
    const tarball = (await run("timeout", words, options)).stdout.trim();
    await run("tar", ["-xzf", tarball, "--strip-components=2", "package/bin/node"], { cwd: folder });
    return undefined;
  } catch (error) {
    const { stderr = "", message } = error as { stderr?: string; message: string };
    const reason = stderr.split("\n").find((line) => line.startsWith("npm error")) ?? message.split("\n")[0];
    return `Node.js ${major} cannot be fetched: ${reason}`;
  }
}

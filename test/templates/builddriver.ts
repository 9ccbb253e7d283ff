import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Test } from "tap";
import type { BuildCommand, BuiltMessage } from "../../executor/run/agent/protocol.js";
import { AgentAttachment, AgentFolder, stopAgent } from "./agentdriver.js";

/** The agents of several runs with one workdir, and a project that each of them can build. */
export class BuildNode {
  private readonly first = new AgentFolder();
  readonly workdir = join(this.first.root, "..", "..");
  /** Where the builds of these tests note that they ran. */
  readonly countFile = join(this.workdir, "count");

  constructor(private readonly test: Test) {
    test.teardown(() => this.first.remove());
  }

  /** Attaches to the agent of the run `name`; it is stopped after the test. */
  async attach(name = "r1", options: Parameters<AgentAttachment["open"]>[0] = {}): Promise<BuildAttachment> {
    const folder = new AgentFolder(this.workdir, name);
    this.test.teardown(() => stopAgent(folder));
    const attachment = new BuildAttachment(folder);
    await attachment.open(options);
    return attachment;
  }

  /** How often a build ran that used `note`. */
  count(): number {
    return existsSync(this.countFile) ? readFileSync(this.countFile, "utf8").length : 0;
  }

  /** A shell command that notes that a build ran. */
  get note(): string {
    return `printf x >> ${this.countFile}`;
  }
}

export class BuildAttachment extends AgentAttachment {
  /** Stages a project of these files, all executable; returns its id. */
  stageTree(files: Record<string, string> = { "source.txt": "source\n" }): string {
    const rows = Object.entries(files).map(([path, text]) => {
      return [path, 0o755, 1_000_000_000, this.folder.stage(text), Buffer.byteLength(text)];
    });
    return this.folder.stage(JSON.stringify({ files: rows }));
  }

  /** Sends a build by a shell script; returns the id of the request. */
  sendBuild(script: string, outputs: string[], more: Partial<BuildCommand> = {}): string {
    const fields = { tree: this.stageTree(), argv: ["sh", "-c", script], env: {}, outputs, timeout: 60, ...more };
    const id = createHash("sha256").update(JSON.stringify(fields)).digest("hex");
    this.send({ op: "build", id, ...fields });
    return id;
  }

  waitForBuilt(id: string): Promise<BuiltMessage> {
    return this.waitFor((one) => one.ev === "built" && one.id === id, 60) as Promise<BuiltMessage>;
  }

  build(script: string, outputs: string[], more: Partial<BuildCommand> = {}): Promise<BuiltMessage> {
    return this.waitForBuilt(this.sendBuild(script, outputs, more));
  }
}

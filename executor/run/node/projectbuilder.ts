import { hash } from "node:crypto";
import { listProfiles } from "../../../fleet/gpus/gpugroups.js";
import type { Node } from "../../../fleet/node.js";
import { MusterError } from "../../../schemas/errors.js";
import type { BuildSpec } from "../../job/project/buildspec.js";
import type { BuildCommand, BuiltMessage } from "../agent/protocol.js";
import type { ProjectSnapshot } from "../record/snapshot.js";
import { type BuildLog, saveBuildLog } from "./buildlog.js";

/** A build that takes longer is reported while it runs. */
const REPORT_AFTER_MS = 1000;
/** Of what a failed build printed, in its error. */
const MAX_ERROR_LINES = 8;
const MAX_ERROR_LINE_CHARS = 200;

/** Has the agent of one node build the project, or find the result of an earlier build. */
export class ProjectBuilder {
  /** The key of the build on the node, once it is there. */
  key: string | undefined;
  private readonly command: BuildCommand;
  private building: Promise<void> | undefined;
  private waiting: { resolve: (reply: BuiltMessage) => void; reject: (error: Error) => void } | undefined;

  constructor(
    private readonly spec: BuildSpec,
    snapshot: ProjectSnapshot,
    private readonly node: Node,
    private readonly log: BuildLog,
    private readonly send: (command: BuildCommand) => void,
  ) {
    this.command = createBuildCommand(spec, snapshot, node);
  }

  /**
   * Resolves when the node has the build of the project, which is staged. Rejects with BUILD where it fails, with the end of what it
   * printed, and with LOST. `report` is called with messages about a build that takes its time.
   */
  build(report: (message: string) => void): Promise<void> {
    this.building ??= this.requestBuild(report).finally(() => {
      this.building = undefined;
    });
    return this.building;
  }

  /** Takes the agent's reply. Returns false where it answers no question of this coordinator. */
  handleReply(reply: BuiltMessage): boolean {
    const { waiting } = this;
    if (waiting === undefined || reply.id !== this.command.id) return false;
    this.waiting = undefined;
    waiting.resolve(reply);
    return true;
  }

  /** Ends a build that is under way: no reply will come. */
  close(error: MusterError): void {
    this.waiting?.reject(error);
    this.waiting = undefined;
  }

  private async requestBuild(report: (message: string) => void): Promise<void> {
    let isReported = false;
    const timer = setTimeout(() => {
      isReported = true;
      report(`building (${this.spec.command.join(" ")}) ...`);
    }, REPORT_AFTER_MS);
    const reply = await this.ask().finally(() => clearTimeout(timer));
    const path = reply.log === undefined ? undefined : await saveBuildLog(this.log, reply.tail ?? "");
    if (reply.key === undefined) throw this.createError(reply, path);
    this.key = reply.key;
    if (isReported) report(reply.cached ? "another run has built it" : `built in ${Math.ceil(reply.seconds)} s`);
  }

  private ask(): Promise<BuiltMessage> {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.send(this.command);
    });
  }

  private createError({ error, tail }: BuiltMessage, path: string | undefined): MusterError {
    const lines = lastLines(tail ?? "").map((line) => `\n    ${line}`);
    const log = path === undefined ? "" : `The whole log: ${path}. `;
    return new MusterError("BUILD", `the build (${this.spec.command.join(" ")}) failed: ${error}${lines.join("")}`, {
      node: this.node.name,
      next: `${log}If the project is at fault, correct it and run it with --fresh; if the node is, run the same command again once it is in order.`,
    });
  }
}

function createBuildCommand(spec: BuildSpec, snapshot: ProjectSnapshot, node: Node): BuildCommand {
  const kinds = listProfiles(node).map(({ vendor, model, name }) => `${vendor} ${model ?? name}`);
  const fields = {
    tree: snapshot.id,
    argv: [...spec.command],
    env: { ...node.env, ...spec.env },
    cwd: snapshot.folders.cwd,
    outputs: [...spec.outputs],
    timeout: spec.timeoutSeconds,
    ...(spec.isPerGpu ? { gpu: [...new Set(kinds)].join(", ") } : {}),
  };
  return { op: "build", id: hash("sha256", JSON.stringify(fields), "hex"), ...fields };
}

/** Returns the last lines that are not empty, shortened. A carriage return ends a line, too. */
function lastLines(text: string): string[] {
  const lines = text.split(/[\r\n]+/).filter((line) => line.trim() !== "");
  return lines.slice(-MAX_ERROR_LINES).map((line) => line.slice(0, MAX_ERROR_LINE_CHARS));
}

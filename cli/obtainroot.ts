import { decideSudo, formatSudoRule } from "../fleet/bootstrap/decidesteps.js";
import type { MachineState } from "../fleet/bootstrap/machinestate.js";
import { checkSudoPassword, type RootAccess } from "../fleet/bootstrap/rootaccess.js";
import { setSudoRule } from "../fleet/bootstrap/sudorule.js";
import type { Connection } from "../fleet/connection.js";
import { MusterError } from "../schemas/errors.js";
import { askHidden, canAsk, confirm } from "./question.js";

/** What the command line says about sudo. */
export interface SudoOptions {
  /** The chosen playbooks that run programs as root. */
  rootPlaybooks: readonly string[];
  /** false: sudo is left as it is. */
  mayChangeSudo: boolean;
  /** Answers every question but that for the host key. */
  yes: boolean;
}

/** What was found or done about sudo. */
interface SudoReport {
  step: "sudo";
  changed: boolean;
  detail: string;
}

/**
 * Finds out how programs run as root on a node, and sets a rule of sudo where the playbooks need one and a person agrees. `loginPassword`: tried
 * with sudo before another one is asked for. undefined: nobody can become root, and nothing needs it. Rejects with a MusterError.
 */
export async function obtainRoot(
  connection: Connection,
  state: MachineState,
  options: SudoOptions,
  loginPassword: string | undefined,
  onStep: (report: SudoReport) => void,
): Promise<RootAccess | undefined> {
  const { name } = connection.node;
  const { rootPlaybooks, mayChangeSudo } = options;
  const rule = formatSudoRule(state);
  let step = decideSudo(name, state, { rootPlaybooks, mayChange: mayChangeSudo });
  if (step.kind === "set rule") {
    const needs = `sudo: the playbooks ${rootPlaybooks.join(", ")} run programs as root, without a password:`;
    const what = `${needs}\n${rule.rule}   (in ${rule.file})`;
    const flags = "--yes to set it, or --no-sudo to leave sudo as it is";
    if (!(await confirmOrRefuse(name, what, "Set this rule?", options.yes, flags)))
      step = decideSudo(name, state, { rootPlaybooks, mayChange: false });
  }
  switch (step.kind) {
    case "nothing":
      onStep({ step: "sudo", changed: false, detail: step.reason });
      if (state.uid === 0) return { kind: "root" };
      return state.sudo.kind === "free" ? { kind: "sudo" } : undefined;
    case "ask password":
      return findSudoPassword(connection, state, loginPassword);
    case "set rule":
      await setSudoRule(connection, await findSudoPassword(connection, state, loginPassword), rule);
      onStep({ step: "sudo", changed: true, detail: `\`${rule.rule}\` set in ${rule.file}` });
      return { kind: "sudo" };
    default:
      return step satisfies never;
  }
}

/** Finds a password that sudo takes: that of the log-in, else one that is asked for once. Rejects with a MusterError (USAGE, PASSWORD, SUDO). */
async function findSudoPassword(
  connection: Connection,
  { user }: MachineState,
  loginPassword: string | undefined,
): Promise<RootAccess> {
  const { name } = connection.node;
  if (loginPassword !== undefined && (await checkSudoPassword(connection, loginPassword)))
    return { kind: "password", password: loginPassword };
  if (!canAsk())
    throw new MusterError("USAGE", "sudo: it asks for a password, and there is no terminal to ask on", {
      node: name,
      next: "Run the command on a terminal, log in as root (muster bootstrap root@HOST), or leave sudo as it is: --no-sudo",
    });
  const password = await askHidden(`${name}: password of ${user} for sudo: `);
  if (password && (await checkSudoPassword(connection, password))) return { kind: "password", password };
  throw new MusterError("PASSWORD", "sudo: it does not take this password", {
    node: name,
    next: "Run the same command again, or leave sudo as it is: --no-sudo",
  });
}

/**
 * Says what is to be done and asks, unless `yes` has answered. Rejects with a MusterError (USAGE) without a terminal. `flags`: what answers it
 * there.
 */
export async function confirmOrRefuse(
  node: string,
  what: string,
  question: string,
  yes: boolean,
  flags: string,
): Promise<boolean> {
  if (yes) return true;
  if (canAsk()) return confirm(`${node}: ${what}`, question);
  throw new MusterError("USAGE", `${what.replace("\n", " ")}; there is no terminal to ask on`, {
    node,
    next: `Add ${flags}`,
  });
}

import type { Command, Option } from "commander";
import type { Writers } from "../report/writers.js";
import { UsageError } from "../schemas/errors.js";

interface Verb {
  name: string;
  summary: string;
  options: readonly Option[];
  /** Whether its first argument is a run under ./runs. */
  takesRun: boolean;
}

/** How each shell learns what can be typed. */
const SCRIPTS = { bash: writeBash, zsh: writeZsh, fish: writeFish } as const;
const SHELLS = Object.keys(SCRIPTS) as (keyof typeof SCRIPTS)[];

/** `muster completion`: prints the script that completes muster's commands and options in a shell. */
export function completion(program: Command, shell: string, writers: Writers): number {
  const write = SHELLS.find((name) => name === shell);
  if (write === undefined)
    throw new UsageError(`there is no completion for ${shell}`, `The shells are ${SHELLS.join(", ")}.`);
  writers.out(SCRIPTS[write](listVerbs(program)));
  return 0;
}

function listVerbs(program: Command): Verb[] {
  return program.commands.map((command) => ({
    name: command.name(),
    summary: command.summary(),
    options: command.options.filter((option) => !option.hidden && option.long !== undefined),
    takesRun: ["run", "dir"].includes(command.registeredArguments[0]?.name() ?? ""),
  }));
}

const takesValue = (option: Option) => option.required || option.optional;
const list = (options: readonly Option[]) => options.map(({ long }) => long).join(" ");
const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

function writeBash(verbs: Verb[]): string {
  const cases = verbs.map(
    ({ name, options, takesRun }) =>
      `    ${name}) options=${quote(list(options))} valued=${quote(list(options.filter(takesValue)))} runs=${takesRun ? 1 : ""} ;;`,
  );
  return `# Completion of muster in bash. For this shell: source <(muster completion bash)
_muster() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} options valued runs
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W ${quote(`${verbs.map(({ name }) => name).join(" ")} --help --version`)} -- "$current"))
    return
  fi
  case \${COMP_WORDS[1]} in
${cases.join("\n")}
  esac
  [[ " $valued " != *" $previous "* ]] || return
  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$options --help" -- "$current"))
  elif [[ -n $runs ]] && ((COMP_CWORD == 2)); then
    COMPREPLY=($(compgen -W "$(cd runs 2>/dev/null && echo *)" -- "$current"))
  fi
}
complete -o default -F _muster muster`;
}

function writeZsh(verbs: Verb[]): string {
  const text = (description: string) => description.replace(/[[\]:\\]/g, "\\$&");
  const optionOf = (option: Option) =>
    quote(`${option.long}[${text(option.description)}]${takesValue(option) ? ":value:_files" : ""}`);
  const cases = verbs.map(({ name, options, takesRun }) => {
    const first = takesRun ? quote("1:run:_files -W runs -/") : quote("*:file:_files");
    return `    ${name}) _arguments ${[...options.map(optionOf), first].join(" ")} ;;`;
  });
  return `#compdef muster
# Completion of muster in zsh. For this shell: source <(muster completion zsh)
_muster() {
  local -a verbs=(${verbs.map(({ name, summary }) => quote(`${name}:${text(summary)}`)).join(" ")})
  if ((CURRENT == 2)); then
    _describe command verbs
    return
  fi
  local verb=$words[2]
  shift words
  ((CURRENT--))
  case $verb in
${cases.join("\n")}
  esac
}
compdef _muster muster`;
}

function writeFish(verbs: Verb[]): string {
  const lines = verbs.flatMap(({ name, summary, options, takesRun }) => [
    `complete -c muster -n __fish_use_subcommand -f -a ${name} -d ${quote(summary)}`,
    ...options.map(
      (option) =>
        `complete -c muster -n '__fish_seen_subcommand_from ${name}' -l ${option.long!.slice(2)} ${takesValue(option) ? "-r " : ""}-d ${quote(option.description)}`,
    ),
    ...(takesRun
      ? [`complete -c muster -n '__fish_seen_subcommand_from ${name}' -a '(command ls runs 2>/dev/null)' -d run`]
      : []),
  ]);
  return ["# Completion of muster in fish. For this shell: muster completion fish | source", ...lines].join("\n");
}

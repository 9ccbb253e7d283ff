// Creates a private folder, settings in it, and a link to the data of this month.
import { type FileState, file, folder, type Playbook, type Resource } from "muster";

const FOLDER = "~/muster-example";

const workspace: Playbook = function* ({ node }) {
  yield folder({ path: FOLDER, mode: 0o700 });
  yield file({ path: `${FOLDER}/settings.ini`, content: `[node]\nname = ${node.name}\n`, mode: 0o600 });
  yield link(`${FOLDER}/current`, "data-2026-01");
};
export default workspace;

/** Something of one's own: ask, compare, and change with zx. `$` runs on the node, in its home folder; words are quoted. */
function link(path: string, target: string): Resource<FileState> {
  return {
    name: `link ${path}`,
    probe: { ask: "file", path, cap: 0 },
    diff: (have) => (have.target === target ? [] : [{ what: "link", have: have.target ?? have.kind, want: target }]),
    change: async (_, { $ }) => {
      await $`ln -sfn -- ${target} ${path.replace("~/", "")}`;
    },
    after: [`folder ${FOLDER}`],
  };
}

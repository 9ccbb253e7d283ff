import t from "tap";
import { createHop } from "../../fleet/ssh/hop.js";
import { explainLoginError } from "../../fleet/ssh/loginerrors.js";

const where = { node: "rig", step: "connect" };
const hop = createHop({ alias: "rig", user: "joe" }, new Map(), where);
const context = { offered: ["/k/id_ed25519", "b (agent)"], unusable: [] };
const refused = Object.assign(new Error("All configured authentication methods failed"), {
  level: "client-authentication",
});

t.test("a refused log-in is explained by what the server replied", async (t) => {
  const explain = (error: Error, methodReplies: string[][]) =>
    explainLoginError(error, hop, where, { ...context, methodReplies });
  t.match(explain(refused, [["publickey"], ["publickey"]]), {
    code: "AUTH",
    detail: /^joe may not log in with \/k\/id_ed25519, b \(agent\)/,
    next: /authorized_keys/,
  });
  t.match(explain(refused, [["publickey"], ["keyboard-interactive"]]), {
    code: "AUTH",
    detail: /the server accepted a key of joe .* and wants keyboard-interactive in addition/,
    next: /AuthenticationMethods/,
  });
  t.match(explain(refused, [["password"], ["password"]]), {
    code: "AUTH",
    detail: "the server takes no keys of joe, only password",
    next: /PubkeyAuthentication/,
  });
  const many = Object.assign(new Error("Too many authentication failures"), { code: 2 });
  t.match(explain(many, [["publickey"], ["publickey"], ["publickey"]]), {
    code: "AUTH",
    detail: /ended the log-in after 3 tries .*b \(agent\)/,
    next: /identity_file.*IdentitiesOnly/,
  });
});

import type { AnyAuthMethod, AuthHandlerMiddleware, KeyboardInteractiveAuthMethod } from "ssh2";

/**
 * Offers a password in the one way that the server takes, once: each further try could count as another wrong password. Servers with PAM may
 * take it only as the answer to a question (keyboard-interactive).
 */
export function offerPassword(username: string, password: string): AuthHandlerMiddleware {
  let hasAskedServer = false;
  let hasOffered = false;
  return (left, _partial, next) => {
    const give = next as (method: AnyAuthMethod | false) => void;
    if (!hasAskedServer) {
      hasAskedServer = true;
      return give({ type: "none", username });
    }
    if (hasOffered) return give(false);
    hasOffered = true;
    if (left.includes("password")) return give({ type: "password", username, password });
    if (left.includes("keyboard-interactive")) return give(answerQuestion(username, password));
    return give(false);
  };
}

/** Answers the first question, if its answer is hidden; a second one is about something else, such as a code or a new password. */
function answerQuestion(username: string, password: string): KeyboardInteractiveAuthMethod {
  let hasAnswered = false;
  return {
    type: "keyboard-interactive",
    username,
    prompt: (_name, _instructions, _language, prompts, finish) => {
      const [only] = prompts as readonly { prompt: string; echo?: boolean }[];
      const isForPassword = !hasAnswered && prompts.length === 1 && only?.echo !== true;
      if (isForPassword) hasAnswered = true;
      finish(prompts.map(() => (isForPassword ? password : "")));
    },
  };
}

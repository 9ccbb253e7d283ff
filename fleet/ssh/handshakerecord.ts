/** ssh2 reports the host key algorithms of a server only in debug messages with this prefix. */
const HOST_KEY_OFFER = "Handshake: (remote) Host key format: ";
/** The debug message that the server accepts a key, before ssh2 signs with it. */
const KEY_ACCEPTED = "Inbound: Received USERAUTH_PK_OK";
/** The debug message with the methods by which a log-in may continue. */
const METHOD_REPLY = /^Inbound: Received USERAUTH_FAILURE \((.*)\)$/;

/** What a server said during a log-in, read from the debug messages of ssh2, which reports it nowhere else. */
export class HandshakeRecord {
  /** The host key algorithms that the server offers; undefined = it has not said. */
  hostKeyOffer: string[] | undefined;
  /** Each of its replies: the methods by which the log-in may continue. */
  readonly methodReplies: string[][] = [];
  /** Its reply to a key that it had accepted, if there was one. */
  continuations: string[] | undefined;
  private isKeyAccepted = false;

  /** Takes in a debug message. */
  note(text: string): void {
    if (text.startsWith(HOST_KEY_OFFER)) this.hostKeyOffer = text.slice(HOST_KEY_OFFER.length).split(",");
    if (text === KEY_ACCEPTED) this.isKeyAccepted = true;
    const methods = METHOD_REPLY.exec(text)?.[1]?.split(",");
    if (methods === undefined) return;
    this.methodReplies.push(methods);
    if (this.isKeyAccepted) this.continuations = methods;
    this.isKeyAccepted = false;
  }
}

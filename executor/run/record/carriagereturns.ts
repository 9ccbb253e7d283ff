const [NUL, LINE_FEED] = [0x00, 0x0a];
export const CARRIAGE_RETURN = 0x0d;
const [LF, CRLF] = [Buffer.from("\n"), Buffer.from("\r\n")];
/** A longer line is no progress bar: it is kept as it is from there on, so that it need not be held in memory. */
const MAX_LINE_BYTES = 64 << 10;

/**
 * Folds lines that were overwritten, as progress bars are: of the texts between carriage returns the last one stays, whole, even if it
 * is shorter than those before. `\r\n` stays where nothing was overwritten. Where a NUL byte is among the first bytes that are pushed,
 * nothing is changed, and otherwise nothing from the first NUL byte on: that is binary.
 */
export class CarriageReturnFolder {
  /** The text of the line that is not final yet, as bytes of its own. */
  private pending: Buffer[] = [];
  private pendingBytes = 0;
  /** Whether the next text replaces the pending one. */
  private isReturned = false;
  /** Whether a text of this line was overwritten. */
  private isFolded = false;
  /** Whether this line is so long that it is kept as it is. */
  private isLongLine = false;
  private isBinary = false;
  private isFirst = true;

  /** Takes the next bytes, and returns what is final. It may share memory with `bytes`. */
  push(bytes: Buffer): Buffer {
    if (this.isBinary) return bytes;
    const nul = bytes.indexOf(NUL);
    const { isFirst } = this;
    this.isFirst = false;
    if (nul === -1) return this.fold(bytes);
    this.isBinary = true;
    if (isFirst) return bytes;
    return Buffer.concat([this.fold(bytes.subarray(0, nul)), this.end(), bytes.subarray(nul)]);
  }

  /** Returns the last line, if no line feed ended it. */
  end(): Buffer {
    return Buffer.concat(this.takePending());
  }

  private fold(bytes: Buffer): Buffer {
    const final: Buffer[] = [];
    for (let start = 0; start < bytes.length; ) {
      const end = bytes.indexOf(LINE_FEED, start);
      this.addToLine(bytes.subarray(start, end === -1 ? bytes.length : end), final);
      if (end === -1) break;
      const ending = this.isReturned && !this.isFolded ? CRLF : LF;
      final.push(...this.takePending(), ending);
      this.isLongLine = false;
      this.isFolded = false;
      start = end + 1;
    }
    this.pending = this.pending.length === 0 ? [] : [Buffer.concat(this.pending)];
    return Buffer.concat(final);
  }

  /** `bytes`: without a line feed. */
  private addToLine(bytes: Buffer, final: Buffer[]): void {
    for (let start = 0; start < bytes.length && !this.isLongLine; ) {
      const end = bytes.indexOf(CARRIAGE_RETURN, start);
      this.addText(bytes.subarray(start, end === -1 ? bytes.length : end));
      if (this.pendingBytes > MAX_LINE_BYTES) {
        final.push(...this.takePending(), bytes.subarray(end === -1 ? bytes.length : end));
        this.isLongLine = true;
        return;
      }
      if (end === -1) return;
      this.isReturned = true;
      start = end + 1;
    }
    if (this.isLongLine) final.push(bytes);
  }

  private addText(text: Buffer): void {
    if (text.length === 0) return;
    if (this.isReturned) {
      this.isFolded ||= this.pendingBytes > 0;
      this.takePending();
    }
    this.pending.push(text);
    this.pendingBytes += text.length;
  }

  private takePending(): Buffer[] {
    const { pending } = this;
    this.pending = [];
    this.pendingBytes = 0;
    this.isReturned = false;
    return pending;
  }
}

/** Returns a whole log, folded. */
export function foldCarriageReturns(bytes: Buffer): Buffer {
  if (!bytes.includes(CARRIAGE_RETURN)) return bytes;
  const folder = new CarriageReturnFolder();
  return Buffer.concat([folder.push(bytes), folder.end()]);
}

import { createHash } from "node:crypto";

const ARMOR =
  /-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n(?:[^\n]*\S[^\n]*\r?\n)*\s*\n([A-Za-z0-9+/=\s]+?)(?:\n=[A-Za-z0-9+/]{4})?\s*-----END/;
/** The tag of a public key in OpenPGP. */
const PUBLIC_KEY_TAG = 6;

/**
 * Returns the fingerprint of the key of an OpenPGP file, armored or not: 40 digits in capitals. undefined = it holds no key of version 4, or
 * more than one, or something that is no OpenPGP packet. RFC 4880, section 12.2: the SHA-1 of 0x99, the length in two bytes, and the packet.
 */
export function readKeyFingerprint(file: Uint8Array): string | undefined {
  const text = Buffer.from(file).toString("latin1");
  const armored = ARMOR.exec(text)?.[1];
  if (text.split("-----BEGIN PGP").length > 2) return undefined;
  const packets = readPackets(armored === undefined ? Buffer.from(file) : Buffer.from(armored, "base64"));
  const keys = packets?.filter(({ tag }) => tag === PUBLIC_KEY_TAG) ?? [];
  const body = keys[0]?.body;
  if (body === undefined || keys.length > 1 || body[0] !== 4) return undefined;
  const length = Buffer.alloc(3);
  length[0] = 0x99;
  length.writeUInt16BE(body.length, 1);
  return createHash("sha1").update(length).update(body).digest("hex").toUpperCase();
}

interface Packet {
  tag: number;
  body: Buffer;
}

/** RFC 4880, section 4.2. undefined = not all of it is packets of known length. */
function readPackets(bytes: Buffer): Packet[] | undefined {
  const packets: Packet[] = [];
  for (let rest = bytes; rest.length > 0; ) {
    const first = rest[0] ?? 0;
    const isNew = (first & 0x40) !== 0;
    const header = isNew ? readNewLength(rest) : readOldLength(rest, first & 3);
    if ((first & 0x80) === 0 || header === undefined || header.length > 0xffff) return undefined;
    const end = header.at + header.length;
    if (end > rest.length) return undefined;
    packets.push({ tag: isNew ? first & 0x3f : (first & 0x3c) >> 2, body: rest.subarray(header.at, end) });
    rest = rest.subarray(end);
  }
  return packets;
}

function readOldLength(bytes: Buffer, type: number): { at: number; length: number } | undefined {
  const size = [1, 2, 4][type];
  if (size === undefined || bytes.length < 1 + size) return undefined;
  return { at: 1 + size, length: bytes.readUIntBE(1, size) };
}

function readNewLength(bytes: Buffer): { at: number; length: number } | undefined {
  const [, one = 0, two = 0] = bytes;
  if (one < 192) return { at: 2, length: one };
  if (one < 224) return { at: 3, length: ((one - 192) << 8) + two + 192 };
  return one === 255 && bytes.length >= 6 ? { at: 6, length: bytes.readUInt32BE(2) } : undefined;
}

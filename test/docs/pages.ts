import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../lab/project.js";

/** A page for users: its path from the project's root, and its text. */
export interface Page {
  path: string;
  text: string;
}

/** Returns README.md and the pages of docs/. */
export function readPages(): Page[] {
  const docs = readdirSync(join(projectRoot(), "docs")).filter((name) => name.endsWith(".md"));
  return ["README.md", ...docs.map((name) => `docs/${name}`)].map(readPage);
}

/** Reads a page by its path from the project's root. */
export function readPage(path: string): Page {
  return { path, text: readFileSync(join(projectRoot(), path), "utf8") };
}

/** A block of code, without its indent or fence. `language` is that of the fence, or "". */
export interface CodeBlock {
  language: string;
  text: string;
}

/** Returns the fenced and the indented blocks of a page. */
export function findBlocks({ text }: Page): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  const rest = text.replace(/^```(\w*)\n([\s\S]*?)^```$/gm, (_, language: string, code: string) => {
    blocks.push({ language, text: code.trim() });
    return "";
  });
  for (const [block] of rest.matchAll(/(?:^ {4}.*\n)(?:(?: {4}.*)?\n)*/gm))
    blocks.push({ language: "", text: block.replace(/^ {4}/gm, "").trim() });
  return blocks;
}

/** Returns what stands between single or double backticks in the text of a page, outside of blocks. */
export function findCodeSpans({ text }: Page): string[] {
  const prose = text.replace(/^```[\s\S]*?^```$/gm, "").replace(/^ {4}.*$/gm, "");
  return [...prose.matchAll(/(`+)(.+?)\1(?!`)/gs)].map((match) => match[2]!.replaceAll("\\|", "|").trim());
}

/** Returns the anchors of a page's headings, as GitHub makes them. */
export function listAnchors({ text }: Page): Set<string> {
  const anchors = new Set<string>();
  for (const [, title] of text.replace(/^```[\s\S]*?^```$/gm, "").matchAll(/^#{1,6} (.+)$/gm)) {
    const slug = title!
      .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replace(/ /g, "-");
    for (let count = 0; ; count++) {
      const anchor = count === 0 ? slug : `${slug}-${count}`;
      if (anchors.has(anchor)) continue;
      anchors.add(anchor);
      break;
    }
  }
  return anchors;
}

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** Escapes text for an element or an attribute of an SVG picture. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => ENTITIES[character]!);
}

/** Returns an SVG picture of this size in pixels. `label` describes it to people who cannot see it. */
export function drawSvg(
  size: { width: number; height: number },
  label: string,
  style: string,
  parts: string[],
): string {
  const { width, height } = size;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escapeXml(label)}">
<style>${style}</style>
${parts.join("\n")}
</svg>
`;
}

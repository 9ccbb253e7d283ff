/** Joins what is said of GPUs, each by its PCI address, into one line; what several have in common is said once. */
export function groupCards(entries: readonly (readonly [pci: string, text: string])[]): string {
  const cardsByText = new Map<string, string[]>();
  for (const [pci, text] of entries) cardsByText.set(text, [...(cardsByText.get(text) ?? []), pci]);
  return [...cardsByText].map(([text, cards]) => `GPU ${cards.join(", ")}: ${text}`).join("; ");
}

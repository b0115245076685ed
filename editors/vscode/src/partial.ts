// Tells from a change of the document that a part of a shown completion was taken. Pure.
//
// VS Code keeps its own events for that from extensions, so this looks at what is inserted: more
// than one character at once, the beginning of what is shown.

const PAIRS = new Set(['()', '[]', '{}', '""', "''", '``']);

/** Returns how many UTF-16 units of `shown` the insertion of `text` accepts, 0 for none. */
export function partlyAccepted(shown: string, text: string): number {
  if (text.length < 2 || PAIRS.has(text)) return 0; // typed, or closed by the editor
  return text.length < shown.length && shown.startsWith(text) ? text.length : 0;
}

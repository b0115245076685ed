// Keeps keys out of the log. Pure.

/** Fields whose values are secrets wherever they stand in JSON. */
const FIELDS = /("(?:apiKey|authToken|accessToken)"\s*:\s*)"(?:[^"\\]|\\.)*"/g;
const SHORTEST = 6;

/** Returns `text` with every secret replaced, as it is and as it is written in JSON. */
export function redact(text: string, secrets: Iterable<string>): string {
  let safe = text.replace(FIELDS, '$1"***"');
  for (const secret of secrets) {
    if (secret.length < SHORTEST) continue;
    safe = safe.replaceAll(secret, '***').replaceAll(JSON.stringify(secret).slice(1, -1), '***');
  }
  return safe;
}

/** Every string that stands below a field that holds secrets: keys, tokens, header values. */
export function secretsIn(value: unknown, within = false): string[] {
  if (typeof value === 'string') return within ? [value] : [];
  if (Array.isArray(value)) return value.flatMap((item) => secretsIn(item, within));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) =>
    // { env: … }, { command: … } say where a key is found, and are none.
    secretsIn(inner, name === 'headers' || /^(apiKey|authToken|accessToken)$/.test(name) || (within && !SOURCES.has(name))),
  );
}

const SOURCES = new Set(['env', 'command', 'file', 'keyring']);

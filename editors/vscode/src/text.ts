// Words for people: sizes, prices, errors. Pure.

export function tokens(count: number): string {
  if (count < 1000) return `${count}`;
  if (count < 1_000_000) return `${trimmed(count / 1000, count < 10_000 ? 1 : 0)}k`;
  return `${trimmed(count / 1_000_000, 2)}M`;
}

/** Dollars with as many digits as say something: $0.0012, $1.25. */
export function dollars(usd: number): string {
  if (usd === 0) return '$0';
  if (usd < 0.0001) return '<$0.0001';
  return `$${usd < 0.01 ? usd.toFixed(4) : usd < 1 ? usd.toFixed(3) : usd.toFixed(2)}`;
}

/** What is shown under an answer and in the status bar; what is unknown is left out. */
export function spent(count: number | undefined, usd: number | null | undefined): string {
  const parts: string[] = [];
  if (count !== undefined && count > 0) parts.push(`${tokens(count)} tokens`);
  if (usd !== undefined && usd !== null) parts.push(dollars(usd));
  return parts.join(' · ');
}

function trimmed(value: number, digits: number): string {
  return value.toFixed(digits).replace(/\.0+$|(\.\d*?)0+$/, '$1');
}

/** A fence longer than any run of backticks inside. */
export function fenced(code: string, language: string): string {
  const longest = Math.max(2, ...[...code.matchAll(/`+/g)].map((run) => run[0].length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}${language}\n${code.replace(/\n$/, '')}\n${fence}`;
}

/** What pip is to install, with the extra that brings the embedded model's runtime. */
export function withModel(source: string): string {
  if (/^[\w+]+:\/\//.test(source)) return `ai-sidecar[local] @ ${source}`;
  return source.endsWith(']') ? source : `${source}[local]`;
}

// Settings as the configuration object that the server knows. Pure: values come as functions.

export type Tree = { [name: string]: unknown };

/** Returns the settings that have a value, nested by their dots. */
export function collect(names: Iterable<string>, valueOf: (name: string) => unknown): Tree {
  const tree: Tree = {};
  for (const name of names) {
    const value = valueOf(name);
    if (value === undefined || value === null) continue;
    const path = name.split('.');
    let table = tree;
    for (const step of path.slice(0, -1)) table = (table[step] ??= {}) as Tree;
    table[path.at(-1) as string] = value;
  }
  return tree;
}

/** Returns the options with each stored key in its provider's table. */
export function withKeys(options: Tree, keys: Record<string, string>): Tree {
  if (Object.keys(keys).length === 0) return options;
  const providers: Tree = { ...(options['providers'] as Tree | undefined) };
  for (const [id, apiKey] of Object.entries(keys)) {
    providers[id] = { ...(providers[id] as Tree | undefined), apiKey };
  }
  return { ...options, providers };
}

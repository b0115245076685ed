// Provider keys in the editor's SecretStorage, and the commands that set and remove them.

import * as vscode from 'vscode';
import type { Sidecar } from './client.ts';
import type { Provider } from './protocol.ts';

/** One entry for all: SecretStorage cannot list its entries everywhere. */
const ENTRY = 'aiSidecar.apiKeys';

export class Keys {
  private cached: Record<string, string> = {};

  constructor(private readonly storage: vscode.SecretStorage) {}

  /** Provider id → key. */
  async all(): Promise<Record<string, string>> {
    try {
      this.cached = JSON.parse((await this.storage.get(ENTRY)) ?? '{}') as Record<string, string>;
    } catch {
      this.cached = {};
    }
    return this.cached;
  }

  /** The keys that were last read: what must not show up in a log. */
  known(): string[] {
    return Object.values(this.cached);
  }

  async set(provider: string, key: string | undefined): Promise<void> {
    const keys = { ...(await this.all()) };
    if (key === undefined) delete keys[provider];
    else keys[provider] = key;
    this.cached = keys;
    await this.storage.store(ENTRY, JSON.stringify(keys));
  }

  /** Also told of changes that another window makes. */
  onDidChange(listener: () => void): vscode.Disposable {
    return this.storage.onDidChange((event) => {
      if (event.key === ENTRY) listener();
    });
  }
}

/** `aiSidecar.setApiKey`: asks for the provider, unless it is given, and for its key. */
export async function setApiKey(sidecar: Sidecar, keys: Keys, given?: unknown): Promise<void> {
  const provider = typeof given === 'string' ? given : await pickProvider(sidecar, await keys.all());
  if (provider === undefined) return;
  const key = await vscode.window.showInputBox({
    title: `API key for ${provider}`,
    prompt: 'Kept in the secret storage of the editor, and sent to the address of this provider only.',
    password: true,
    ignoreFocusOut: true,
    validateInput: (value) => (/^\S+$/.test(value.trim()) ? undefined : 'A key without spaces is expected.'),
  });
  if (key === undefined) return;
  await keys.set(provider, key.trim());
  void vscode.window.showInformationMessage(`ai-sidecar: the key for ${provider} is stored.`);
}

/** `aiSidecar.removeApiKey`. */
export async function removeApiKey(keys: Keys): Promise<void> {
  const stored = Object.keys(await keys.all());
  if (stored.length === 0) {
    void vscode.window.showInformationMessage('ai-sidecar: no key is stored in this editor.');
    return;
  }
  const provider = await vscode.window.showQuickPick(stored, { title: 'Remove the API key of' });
  if (provider !== undefined) await keys.set(provider, undefined);
}

async function pickProvider(sidecar: Sidecar, stored: Record<string, string>): Promise<string | undefined> {
  const { providers } = await sidecar.request<{ providers: Provider[] }>('ai/providers', {});
  const items = providers
    .filter(({ kind }) => !KEYLESS.has(kind))
    .map(({ id, configured, keySource }) => ({
      label: id,
      description: id in stored ? 'stored in this editor' : configured ? (keySource ?? 'configured') : '',
    }));
  const picked = await vscode.window.showQuickPick(items, {
    title: 'API key: which provider?',
    placeHolder: 'A provider of your settings, or one that is built in',
    matchOnDescription: true,
  });
  return picked?.label;
}

const KEYLESS = new Set(['local', 'mock', 'claude-code', 'vscode-lm', 'vertex', 'aws']);

// The editor's settings as the server gets them: the user's at its start, the workspace's when it asks.

import * as vscode from 'vscode';
import { collect, type Tree } from './options.ts';

const SECTION = 'aiSidecar';
/** Settings of the extension itself, which are no part of the server's configuration. */
const OWN = new Set(['path', 'python', 'installSource', 'chatModels', 'trace.server']);

export class Settings {
  private readonly names: string[];
  /** What a workspace may set; the rest has the scope "machine", which VS Code enforces as well. */
  private readonly open: string[];
  /** What it may set even if nobody has said yet that it is trusted: less completion. */
  private readonly untrusted: string[];

  constructor(context: vscode.ExtensionContext) {
    const manifest = context.extension.packageJSON as Manifest;
    const properties = manifest.contributes.configuration.flatMap((group) => Object.entries(group.properties));
    const restricted = new Set(manifest.capabilities.untrustedWorkspaces.restrictedConfigurations);
    const all = properties.map(([name, { scope }]) => ({ name, bare: name.slice(SECTION.length + 1), scope }));
    const served = all.filter(({ bare }) => !OWN.has(bare));
    this.names = served.map(({ bare }) => bare);
    const open = served.filter(({ scope }) => scope !== 'machine');
    this.open = open.map(({ bare }) => bare);
    this.untrusted = open.filter(({ name }) => !restricted.has(name)).map(({ bare }) => bare);
  }

  /** What the user has set, for `initializationOptions`. */
  ofUser(): Tree {
    const settings = vscode.workspace.getConfiguration(SECTION);
    return collect(this.names, (name) => settings.inspect(name)?.globalValue);
  }

  /** What the workspace has set, for `workspace/configuration`. The server restricts it once more. */
  ofWorkspace(): Tree {
    const settings = vscode.workspace.getConfiguration(SECTION);
    return collect(vscode.workspace.isTrusted ? this.open : this.untrusted, (name) => {
      const found = settings.inspect(name);
      return found?.workspaceFolderValue ?? found?.workspaceValue;
    });
  }
}

interface Manifest {
  contributes: { configuration: { properties: Record<string, { scope?: string }> }[] };
  capabilities: { untrustedWorkspaces: { restrictedConfigurations: string[] } };
}

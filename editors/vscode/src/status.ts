// The status bar: the model, and what its last answer took.

import * as vscode from 'vscode';
import type { Sidecar } from './client.ts';
import type { Models } from './models.ts';
import type { Status } from './protocol.ts';
import { dollars, spent } from './text.ts';

export class StatusBar implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem('aiSidecar.status', vscode.StatusBarAlignment.Right, 100);
  private last: Status = { busy: false, kind: 'Inactive', message: '' };

  constructor(
    sidecar: Sidecar,
    private readonly models: Models,
  ) {
    this.item.name = 'ai-sidecar';
    this.item.command = 'aiSidecar.chooseModel';
    // The server tells its state at the beginning, too.
    sidecar.onClient((client) => client.onNotification('ai/didChangeStatus', (status: Status) => this.show(status)));
    sidecar.onLost((message) => this.show({ busy: false, kind: 'Inactive', message }));
    models.onDidChange(() => this.draw());
    this.draw();
    this.item.show();
  }

  dispose(): void {
    this.item.dispose();
  }

  private show(status: Status): void {
    this.last = status;
    this.draw();
  }

  private draw(): void {
    const { busy, kind, message, model, provider, tokens, costUsd } = this.last;
    const name = this.models.current ?? model ?? 'ai-sidecar';
    const icon = busy ? '$(loading~spin)' : ICONS[kind];
    const state = kind === 'Inactive' ? message : spent(tokens, costUsd);
    this.item.text = [`${icon} ${name}`, state].filter((part) => part !== '').join(' · ');
    this.item.accessibilityInformation = { label: `ai-sidecar: ${name}${busy ? ', busy' : ''} ${state} ${message}` };
    this.item.backgroundColor = BACKGROUNDS[kind];
    const lines = ['**ai-sidecar**'];
    if (model !== undefined) lines.push(`Last answer: ${model}${provider === undefined ? '' : ` of ${provider}`}`);
    if (tokens !== undefined) lines.push(`${tokens.toLocaleString()} tokens`);
    if (tokens !== undefined) lines.push(costUsd === undefined ? 'cost unknown' : `${dollars(costUsd)} (${costUsd} USD)`);
    const tooltip = new vscode.MarkdownString(lines.join('\n\n'));
    if (message !== '') tooltip.appendMarkdown('\n\n').appendText(message);
    tooltip.appendMarkdown('\n\nClick to choose the model.');
    this.item.tooltip = tooltip;
  }
}

const ICONS = { Normal: '$(sparkle)', Warning: '$(warning)', Error: '$(error)', Inactive: '$(circle-slash)' };

const BACKGROUNDS: Record<Status['kind'], vscode.ThemeColor | undefined> = {
  Normal: undefined,
  Inactive: undefined,
  Warning: new vscode.ThemeColor('statusBarItem.warningBackground'),
  Error: new vscode.ThemeColor('statusBarItem.errorBackground'),
};

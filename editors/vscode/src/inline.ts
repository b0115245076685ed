// Completion while typing. The language client asks and shows; this tells the server what became of it.
//
// VS Code tells an extension only of completions that were accepted whole (the item's command). That
// one was shown is taken from its having been handed over uncancelled, that a part was accepted from
// the change of the document.

import * as vscode from 'vscode';
import type { Middleware } from 'vscode-languageclient/node';
import type { Sidecar } from './client.ts';
import { partlyAccepted } from './partial.ts';

interface Shown {
  uri: string;
  at: vscode.Position;
  text: string;
  taken: number;
  item: object;
}

let shown: Shown | undefined;

/** The part of the client's middleware that is about completion. */
export function acceptance(sidecar: Sidecar): Pick<Middleware, 'provideInlineCompletionItems'> {
  return {
    provideInlineCompletionItems: async (document, position, context, token, next) => {
      const result = await next(document, position, context, token);
      const items = Array.isArray(result) ? result : (result?.items ?? []);
      const first = items[0];
      if (first?.command !== undefined && !token.isCancellationRequested) note(sidecar, document, position, first);
      return result;
    },
  };
}

function note(sidecar: Sidecar, document: vscode.TextDocument, at: vscode.Position, given: vscode.InlineCompletionItem): void {
  const whole = typeof given.insertText === 'string' ? given.insertText : given.insertText.value;
  const typed = given.range === undefined ? 0 : at.character - given.range.start.character;
  const { title, command, arguments: args } = given.command as vscode.Command;
  const item = { insertText: whole, command: { title, command, arguments: args } };
  shown = { uri: document.uri.toString(), at, text: whole.slice(Math.max(typed, 0)), taken: Math.max(typed, 0), item };
  void sidecar.notify('textDocument/didShowCompletion', { item });
}

/** Watches the document for a part of what is shown. */
export function watchAcceptance(sidecar: Sidecar): vscode.Disposable {
  return vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
    const change = contentChanges[0];
    if (shown === undefined || change === undefined || document.uri.toString() !== shown.uri) return;
    const here = contentChanges.length === 1 && change.range.isEmpty && change.range.start.isEqual(shown.at);
    const length = here ? partlyAccepted(shown.text, change.text) : 0;
    if (length === 0) {
      shown = undefined;
      return;
    }
    shown = {
      ...shown,
      at: document.positionAt(change.rangeOffset + length),
      text: shown.text.slice(length),
      taken: shown.taken + length,
    };
    void sidecar.notify('textDocument/didPartiallyAcceptCompletion', { item: shown.item, acceptedLength: shown.taken });
  });
}

/** `aiSidecar.toggleInline`. */
export async function toggleInline(): Promise<void> {
  const settings = vscode.workspace.getConfiguration('aiSidecar');
  const on = settings.inspect<boolean>('inline.enabled')?.globalValue ?? true;
  await settings.update('inline.enabled', !on, vscode.ConfigurationTarget.Global);
  vscode.window.setStatusBarMessage(`ai-sidecar: completion while typing is ${on ? 'off' : 'on'}`, 4000);
}

// Edit what is selected by an instruction: the server answers with an edit, the user sees it beside
// the original in a diff editor, and takes it or not.

import * as vscode from 'vscode';
import type { WorkspaceEdit as ServerEdit } from 'vscode-languageclient/node';
import { codeOf } from './ask.ts';
import { messageOf, type Sidecar } from './client.ts';
import { CANCELLED } from './protocol.ts';

const SCHEME = 'ai-sidecar-edit';

interface Proposal {
  document: vscode.TextDocument;
  version: number;
  edit: vscode.WorkspaceEdit;
  /** The document as it would be. */
  content: string;
}

export class Edits implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly proposals = new Map<string, Proposal>();
  private readonly disposables: vscode.Disposable[];
  private count = 0;

  constructor(private readonly sidecar: Sidecar) {
    this.disposables = [
      vscode.workspace.registerTextDocumentContentProvider(SCHEME, this),
      vscode.workspace.onDidCloseTextDocument(({ uri }) => {
        if (uri.scheme === SCHEME) this.proposals.delete(uri.toString());
      }),
    ];
  }

  dispose(): void {
    for (const disposable of this.disposables) disposable.dispose();
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.proposals.get(uri.toString())?.content ?? '';
  }

  /** `aiSidecar.editSelection`. */
  async ask(): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    if (editor === undefined) return;
    const { document, selection } = editor;
    const range = selection.isEmpty ? document.lineAt(selection.active.line).range : new vscode.Range(selection.start, selection.end);
    const instruction = await vscode.window.showInputBox({
      title: selection.isEmpty ? 'Edit this line' : 'Edit the selection',
      placeHolder: 'What is to be done? For example: handle the empty list',
      ignoreFocusOut: true,
    });
    if (instruction === undefined || instruction.trim() === '') return;
    try {
      await this.propose(document, range, instruction.trim());
    } catch (error) {
      if (codeOf(error) === CANCELLED || error instanceof vscode.CancellationError) return;
      const answer = await vscode.window.showErrorMessage(`ai-sidecar: ${messageOf(error)}`, 'Show Log', 'Choose Model…');
      if (answer === 'Show Log') this.sidecar.log.show();
      else if (answer !== undefined) await vscode.commands.executeCommand('aiSidecar.chooseModel');
    }
  }

  /** `aiSidecar.acceptEdit`: applies what is shown, unless the document has changed since. */
  async accept(): Promise<void> {
    const found = this.active();
    if (found === undefined) return;
    const { document, version, edit } = found.proposal;
    if (document.isClosed || document.version !== version) {
      void vscode.window.showWarningMessage('ai-sidecar: the document has changed since; nothing was applied. Ask again.');
      return;
    }
    await closeTab(found.uri);
    if (!(await vscode.workspace.applyEdit(edit))) {
      void vscode.window.showErrorMessage('ai-sidecar: the editor could not apply the edit.');
      return;
    }
    await vscode.window.showTextDocument(document);
  }

  /** `aiSidecar.rejectEdit`. */
  async reject(): Promise<void> {
    const found = this.active();
    if (found !== undefined) await closeTab(found.uri);
  }

  private async propose(document: vscode.TextDocument, range: vscode.Range, instruction: string): Promise<void> {
    const version = document.version;
    const argument = {
      uri: document.uri.toString(),
      range: { start: bare(range.start), end: bare(range.end) },
      instruction,
    };
    const title = `ai-sidecar: ${instruction.length > 60 ? `${instruction.slice(0, 59)}…` : instruction}`;
    const edit = await vscode.window.withProgress(
      { location: vscode.ProgressLocation.Notification, title, cancellable: true },
      async (_, token) => {
        const answer = await this.sidecar.command<ServerEdit | null>('aiSidecar.rewrite', argument, token);
        return this.sidecar.asEdit(answer);
      },
    );
    const changes = edit?.get(document.uri) ?? [];
    if (edit === undefined || changes.length === 0) {
      void vscode.window.showInformationMessage('ai-sidecar: the model would change nothing.');
      return;
    }
    if (document.version !== version) throw new Error('the document changed while the model was asked; ask again');
    await this.show({ document, version, edit, content: applied(document, changes) });
  }

  private async show(proposal: Proposal): Promise<void> {
    const { document } = proposal;
    // Named like the original, so that the right side is highlighted like it.
    const uri = vscode.Uri.from({ scheme: SCHEME, path: document.uri.path, query: `${++this.count}` });
    this.proposals.set(uri.toString(), proposal);
    const proposed = await vscode.workspace.openTextDocument(uri);
    if (proposed.languageId !== document.languageId) {
      await vscode.languages.setTextDocumentLanguage(proposed, document.languageId);
    }
    const name = document.uri.path.split('/').at(-1) ?? '';
    await vscode.commands.executeCommand('vscode.diff', document.uri, uri, `${name}: proposed edit`, { preview: true });
  }

  private active(): { uri: vscode.Uri; proposal: Proposal } | undefined {
    const input = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
    if (!(input instanceof vscode.TabInputTextDiff)) return undefined;
    const proposal = this.proposals.get(input.modified.toString());
    return proposal === undefined ? undefined : { uri: input.modified, proposal };
  }
}

function bare({ line, character }: vscode.Position): { line: number; character: number } {
  return { line, character };
}

/** The document's text with `changes` in it. */
function applied(document: vscode.TextDocument, changes: readonly vscode.TextEdit[]): string {
  const fromTheEnd = [...changes].sort((one, other) => other.range.start.compareTo(one.range.start));
  return fromTheEnd.reduce(
    (text, { range, newText }) => text.slice(0, document.offsetAt(range.start)) + newText + text.slice(document.offsetAt(range.end)),
    document.getText(),
  );
}

async function closeTab(modified: vscode.Uri): Promise<void> {
  for (const tab of vscode.window.tabGroups.all.flatMap((group) => group.tabs)) {
    if (tab.input instanceof vscode.TabInputTextDiff && tab.input.modified.toString() === modified.toString()) {
      await vscode.window.tabGroups.close(tab);
    }
  }
}

// Asking: one conversation at a time, streamed into the view, stopped from anywhere.

import * as vscode from 'vscode';
import { AskView } from './askView.ts';
import { messageOf, NotRunning, type Sidecar } from './client.ts';
import { actionsFor, messagesOf, newTurn, reasoningOf, type Context, type Turn } from './conversation.ts';
import type { Models } from './models.ts';
import { CANCELLED, type CompletionResult, type ErrorData, type StreamEvent } from './protocol.ts';
import { spent } from './text.ts';
import type { FromView } from './viewMessages.ts';

export class Ask implements vscode.Disposable {
  readonly view: AskView;
  private turns: Turn[] = [];
  private context: Context | undefined;
  /** The page is to have the focus, and has not said that it has: a page that is only being made hears nothing. */
  private focusing = false;
  private running: vscode.CancellationTokenSource | undefined;

  constructor(
    private readonly sidecar: Sidecar,
    private readonly models: Models,
    extensionUri: vscode.Uri,
  ) {
    this.view = new AskView(extensionUri, (message) => this.fromView(message));
  }

  dispose(): void {
    this.stop();
  }

  /** `aiSidecar.ask`: shows the view, with what is selected as context. */
  async open(): Promise<void> {
    this.context = selection() ?? this.context;
    await this.view.reveal();
    this.show();
    this.focusing = true;
    this.view.post({ type: 'focus' });
  }

  /** `aiSidecar.explain`. */
  async explain(): Promise<void> {
    const context = selection();
    if (context === undefined) {
      void vscode.window.showInformationMessage('ai-sidecar: select what is to be explained.');
      return;
    }
    await this.view.reveal();
    await this.question('Explain this code.', context);
  }

  /** `aiSidecar.stop`. */
  stop(): void {
    this.running?.cancel();
  }

  /** `aiSidecar.newConversation`. */
  clear(): void {
    this.stop();
    this.turns = [];
    this.context = undefined;
    this.show();
  }

  private async question(question: string, context: Context | undefined): Promise<void> {
    this.stop();
    this.turns.push(newTurn(question, context));
    this.context = undefined;
    await this.answer();
  }

  /** Has the last turn answered. Every way out leaves it in a final state. */
  private async answer(): Promise<void> {
    const turn = this.turns.at(-1);
    if (turn === undefined) return;
    const turns = this.turns;
    const source = new vscode.CancellationTokenSource();
    this.running = source;
    void vscode.commands.executeCommand('setContext', 'aiSidecar.answering', true);
    this.show();
    try {
      const messages = messagesOf(turns);
      const result = await this.view.progress(() =>
        this.sidecar.stream({ messages, ...this.models.selected }, (event) => this.add(turn, event), source.token),
      );
      finish(turn, result);
    } catch (error) {
      fail(turn, error, source.token.isCancellationRequested);
      if (turn.state === 'failed') this.sidecar.log.warn(`ask: ${turn.notice}`);
    } finally {
      source.dispose();
      if (this.running === source) {
        this.running = undefined;
        void vscode.commands.executeCommand('setContext', 'aiSidecar.answering', false);
      }
      this.show();
    }
  }

  private add(turn: Turn, event: StreamEvent): void {
    if (turn.state !== 'asking') return;
    if (event.kind === 'text') turn.answer += event.text;
    else if (event.kind === 'reasoning') turn.reasoning += event.text;
    else if (event.kind === 'retry') {
      const wait = event.waitMs > 0 ? `, next try in ${(event.waitMs / 1000).toFixed(1)} s` : '';
      turn.notice = `${event.provider}: ${event.error.kind}${wait}`;
    } else if (event.kind === 'start') turn.notice = '';
    else return;
    if (this.turns.at(-1) !== turn) return;
    const { answer, reasoning, notice } = turn;
    if (event.kind === 'text' || event.kind === 'reasoning') {
      this.view.post({ type: 'delta', kind: event.kind, text: event.text });
    } else this.view.post({ type: 'turn', turn: { ...turn, answer, reasoning, notice } });
  }

  private show(): void {
    const context = this.context?.label;
    this.view.post({ type: 'state', turns: this.turns, busy: this.running !== undefined, ...(context !== undefined && { context }) });
  }

  private fromView(message: FromView): void {
    switch (message.type) {
      case 'ready':
        this.show();
        if (this.focusing) this.view.post({ type: 'focus' });
        return;
      case 'focused':
        this.focusing = false;
        return;
      case 'ask':
        return void this.question(message.text, this.context);
      case 'stop':
        return this.stop();
      case 'dropContext':
        this.context = undefined;
        return this.show();
      case 'copy':
        return void vscode.env.clipboard.writeText(message.text);
      case 'insert':
        return void insert(message.text);
      case 'action':
        if (message.action === 'retry') return void this.retry();
        return void vscode.commands.executeCommand(`aiSidecar.${message.action}`);
    }
  }

  private async retry(): Promise<void> {
    const turn = this.turns.at(-1);
    if (turn === undefined || this.running !== undefined) return;
    this.turns = [...this.turns.slice(0, -1), newTurn(turn.question, turn.context)];
    await this.answer();
  }
}

function finish(turn: Turn, result: CompletionResult): void {
  turn.state = 'done';
  turn.notice = REMARKS[result.finishReason] ?? '';
  turn.footer = [result.model, spent(result.usage.totalTokens, result.cost?.usd)].filter((part) => part !== '').join(' · ');
  const parts = reasoningOf(result);
  if (parts !== undefined) turn.parts = parts;
}

const REMARKS: Partial<Record<CompletionResult['finishReason'], string>> = {
  length: 'The answer was cut off at the limit of tokens.',
  contentFilter: 'The provider withheld the rest.',
};

function fail(turn: Turn, error: unknown, stopped: boolean): void {
  if (stopped || codeOf(error) === CANCELLED) {
    turn.state = 'stopped';
    turn.notice = 'Stopped.';
    return;
  }
  const data = dataOf(error);
  turn.state = 'failed';
  turn.notice = messageOf(error);
  turn.actions = error instanceof NotRunning ? ['installProgram', 'openSettings'] : actionsFor(data?.kind);
}

export function codeOf(error: unknown): number | undefined {
  return (error as { code?: number } | undefined)?.code;
}

export function dataOf(error: unknown): ErrorData | undefined {
  return (error as { data?: ErrorData } | undefined)?.data;
}

function selection(): Context | undefined {
  const editor = vscode.window.activeTextEditor;
  if (editor === undefined || editor.selection.isEmpty) return undefined;
  const { document, selection: range } = editor;
  const first = range.start.line + 1;
  const last = range.end.line + (range.end.character === 0 && range.end.line > range.start.line ? 0 : 1);
  const name = vscode.workspace.asRelativePath(document.uri);
  const label = `${name}:${first === last ? first : `${first}-${last}`}`;
  return { label, language: document.languageId, text: document.getText(range) };
}

async function insert(text: string): Promise<void> {
  const editor = vscode.window.activeTextEditor ?? vscode.window.visibleTextEditors[0];
  if (editor === undefined) {
    void vscode.window.showInformationMessage('ai-sidecar: no editor is open to insert into.');
    return;
  }
  await editor.edit((edit) => edit.replace(editor.selection, text.replace(/\n$/, '')));
}

// Puts the parts together. What each does is in its own file.

import * as vscode from 'vscode';
import { Ask } from './ask.ts';
import { VIEW } from './askView.ts';
import { offerModels } from './chatProvider.ts';
import { Sidecar } from './client.ts';
import { Edits } from './edit.ts';
import { EditorModels } from './editorModels.ts';
import { toggleInline, watchAcceptance } from './inline.ts';
import { masked } from './log.ts';
import { Models } from './models.ts';
import { secretsIn } from './redact.ts';
import { Keys, removeApiKey, setApiKey } from './secrets.ts';
import { Settings } from './settings.ts';
import { StatusBar } from './status.ts';

let sidecar: Sidecar | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const keys = new Keys(context.secrets);
  const settings = new Settings(context);
  const channel = vscode.window.createOutputChannel('ai-sidecar', { log: true });
  const log = masked(channel, () => [...keys.known(), ...secretsIn(settings.ofUser())]);
  const server = (sidecar = new Sidecar(context, settings, keys, log));
  const models = new Models(server, context.workspaceState);
  const status = new StatusBar(server, models);
  const ask = new Ask(server, models, context.extensionUri);
  const edits = new Edits(server);
  new EditorModels(server);

  const commands: Record<string, (...args: unknown[]) => unknown> = {
    ask: () => ask.open(),
    explain: () => ask.explain(),
    stop: () => ask.stop(),
    newConversation: () => ask.clear(),
    editSelection: () => edits.ask(),
    acceptEdit: () => edits.accept(),
    rejectEdit: () => edits.reject(),
    chooseModel: () => models.choose(),
    setApiKey: (provider) => setApiKey(server, keys, provider),
    removeApiKey: () => removeApiKey(keys),
    toggleInline: () => toggleInline(),
    installProgram: () => server.install(),
    restart: () => server.restart(),
    showLog: () => channel.show(),
    openSettings: () => vscode.commands.executeCommand('workbench.action.openSettings', `@ext:${context.extension.id}`),
  };
  for (const [name, run] of Object.entries(commands)) {
    context.subscriptions.push(vscode.commands.registerCommand(`aiSidecar.${name}`, run));
  }
  context.subscriptions.push(
    channel,
    status,
    ask,
    edits,
    vscode.window.registerWebviewViewProvider(VIEW, ask.view),
    watchAcceptance(server),
    keys.onDidChange(() => void server.settingsChanged()),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration('aiSidecar.path')) void server.restart();
      else if (event.affectsConfiguration('aiSidecar')) void server.settingsChanged();
    }),
  );
  const offered = offerModels(server);
  if (offered !== undefined) context.subscriptions.push(offered);
  void server.start();
}

export function deactivate(): Promise<void> | undefined {
  return sidecar?.stop();
}

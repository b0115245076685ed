// The server as the rest of the extension sees it: started, asked, restarted, told of in plain words.

import { mkdir } from 'node:fs/promises';
import * as path from 'node:path';
import * as vscode from 'vscode';
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  ProgressType,
  State,
  type CancellationToken,
  type Disposable,
  type ErrorHandler,
  type Message,
  type Middleware,
  type StaticFeature,
  type WorkspaceEdit,
} from 'vscode-languageclient/node';
import { acceptance } from './inline.ts';
import { InstallError, installProgram, MODEL_SIZE } from './install.ts';
import { withKeys } from './options.ts';
import { findProgram, programIn, type Found } from './program.ts';
import type { CompletionParams, CompletionResult, StreamEvent } from './protocol.ts';
import type { Keys } from './secrets.ts';
import type { Settings } from './settings.ts';

/** What documents are synchronised, completed and edited. */
export const DOCUMENTS = [{ scheme: 'file' }, { scheme: 'untitled' }, { scheme: 'vscode-notebook-cell' }];

/** Sees a message before the client does; returns whether it is dealt with. */
export type Intercept = (message: Message) => boolean;

export class NotRunning extends Error {}

export class Sidecar implements vscode.Disposable {
  readonly onReady: vscode.Event<void>;
  readonly onLost: vscode.Event<string>;

  private readonly ready = new vscode.EventEmitter<void>();
  private readonly lost = new vscode.EventEmitter<string>();
  private readonly intercepts: Intercept[] = [];
  private readonly setups: ((client: LanguageClient) => Disposable | undefined)[] = [];
  private readonly own: string;
  private client: LanguageClient | undefined;
  private wired: Disposable[] = [];
  private starting: Promise<void> | undefined;
  private startedWith = '';
  private streams = 0;
  private offered = false;

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly settings: Settings,
    private readonly keys: Keys,
    readonly log: vscode.LogOutputChannel,
  ) {
    this.onReady = this.ready.event;
    this.onLost = this.lost.event;
    this.own = path.join(context.globalStorageUri.fsPath, 'environment');
  }

  // --- asking ------------------------------------------------------------------------

  get running(): boolean {
    return this.client?.isRunning() ?? false;
  }

  /** Returns the answer. Throws the client's ResponseError, or NotRunning. */
  async request<R>(method: string, params: object, token?: vscode.CancellationToken): Promise<R> {
    const client = await this.started();
    return token === undefined ? client.sendRequest<R>(method, params) : client.sendRequest<R>(method, params, token);
  }

  async command<R>(command: string, argument: object, token?: vscode.CancellationToken): Promise<R> {
    return this.request<R>('workspace/executeCommand', { command, arguments: [argument] }, token);
  }

  /** The server's edit as the editor's. */
  async asEdit(edit: WorkspaceEdit | null): Promise<vscode.WorkspaceEdit | undefined> {
    return edit === null ? undefined : (await this.started()).protocol2CodeConverter.asWorkspaceEdit(edit);
  }

  async notify(method: string, params: object): Promise<void> {
    await this.client?.sendNotification(method, params);
  }

  /** Streams one answer: every event goes to `each`, the whole result is returned. */
  async stream(
    params: CompletionParams,
    each: (event: StreamEvent) => void,
    token: CancellationToken,
  ): Promise<CompletionResult> {
    const client = await this.started();
    const partialResultToken = `ask-${++this.streams}`;
    const progress = client.onProgress(new ProgressType<StreamEvent>(), partialResultToken, each);
    try {
      return await client.sendRequest<CompletionResult>('ai/stream', { ...params, partialResultToken }, token);
    } finally {
      progress.dispose();
    }
  }

  // --- being set up --------------------------------------------------------------------

  /** Runs `setup` on every new client, before it is started; what it returns is disposed with it. */
  onClient(setup: (client: LanguageClient) => Disposable | undefined): void {
    this.setups.push(setup);
  }

  onMessage(intercept: Intercept): void {
    this.intercepts.push(intercept);
  }

  // --- life --------------------------------------------------------------------------

  /** Starts the server if the program is there, else offers to install it. Never throws. */
  async start(): Promise<void> {
    try {
      await this.started();
    } catch (error) {
      if (!(error instanceof NotRunning)) this.tell(error);
    }
  }

  /** Starts it anew where what the user has set differs from what it was started with. */
  async settingsChanged(): Promise<void> {
    if (this.client !== undefined && JSON.stringify(await this.startOptions()) !== this.startedWith) await this.restart();
  }

  async restart(): Promise<void> {
    await this.stop();
    this.offered = false;
    await this.start();
  }

  async stop(): Promise<void> {
    await this.starting?.catch(() => undefined);
    await this.discard();
  }

  dispose(): Promise<void> {
    return this.stop();
  }

  /**
   * `aiSidecar.installProgram`: installs it into the private environment and starts it. A program that
   * runs is left alone until then. `model`: with the embedded one; absent: as the setting says.
   */
  async install(model?: boolean): Promise<void> {
    const wanted = model ?? vscode.workspace.getConfiguration('aiSidecar').inspect<boolean>('installModel')?.globalValue ?? true;
    try {
      const missing = await installProgram(this.context, this.own, this.log, wanted);
      await this.restart();
      if (missing === undefined) return;
      this.log.warn(`without the embedded model: ${missing}`);
      const again = `"${programIn(this.own)}" local install`;
      const text = `ai-sidecar was installed without the embedded model: ${missing}. To have it, install again, or run ${again}`;
      if ((await vscode.window.showWarningMessage(text, 'Show Log')) === 'Show Log') this.log.show();
    } catch (error) {
      if (error instanceof vscode.CancellationError) return;
      if (!(error instanceof InstallError)) this.log.error(String(error));
      await this.report(`ai-sidecar could not be installed: ${messageOf(error)}`, 'Show Log', 'Open Settings');
    }
  }

  private async started(): Promise<LanguageClient> {
    if (this.client?.state === State.Starting) await this.client.start(); // after an end by itself
    if (!this.running) {
      this.starting ??= this.launch().finally(() => (this.starting = undefined));
      await this.starting;
    }
    if (this.client === undefined) throw new NotRunning('ai-sidecar is not running');
    return this.client;
  }

  private async launch(): Promise<void> {
    await this.discard();
    const found = await this.find();
    if (found === undefined) {
      this.lost.fire('not installed');
      void this.offer();
      throw new NotRunning('the program ai-sidecar was not found');
    }
    this.log.info(`${found.program} (from the ${found.from === 'own' ? 'private environment' : found.from})`);
    const client = await this.makeClient(found.program);
    this.client = client;
    for (const setup of this.setups) {
      const made = setup(client);
      if (made !== undefined) this.wired.push(made);
    }
    this.wired.push(
      client.onDidChangeState(({ newState }) => {
        if (newState === State.Running) this.ready.fire();
      }),
    );
    await client.start();
  }

  private async discard(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    for (const wired of this.wired.splice(0)) wired.dispose();
    // One that does not answer any more is killed by the client after this time.
    await client?.dispose(2000).catch((error: unknown) => this.log.warn(`stopping: ${String(error)}`));
  }

  private find(): Promise<Found | undefined> {
    const configured = vscode.workspace.getConfiguration('aiSidecar').inspect<string>('path')?.globalValue ?? '';
    const workspace = (vscode.workspace.workspaceFolders ?? []).map(({ uri }) => uri.fsPath);
    return findProgram({ configured, searchPath: process.env['PATH'] ?? '', own: this.own, workspace });
  }

  private async startOptions(): Promise<object> {
    return withKeys(this.settings.ofUser(), await this.keys.all());
  }

  private async makeClient(program: string): Promise<LanguageClient> {
    // Not the workspace: nothing of it shall be found by a relative name.
    const cwd = this.context.globalStorageUri.fsPath;
    await mkdir(cwd, { recursive: true });
    const options = await this.startOptions();
    this.startedWith = JSON.stringify(options);
    const client = new LanguageClient(
      'aiSidecar',
      'ai-sidecar',
      { command: program, args: ['--stdio'], options: { cwd } },
      {
        documentSelector: DOCUMENTS,
        initializationOptions: () => options,
        outputChannel: this.log,
        traceOutputChannel: this.log,
        errorHandler: this.errorHandler(),
        initializationFailedHandler: (error) => {
          this.log.error(messageOf(error));
          return false;
        },
        middleware: this.middleware(),
        connectionOptions: { messageStrategy: { handleMessage: (message, next) => this.seen(message) ? undefined : next(message) } },
      },
    );
    client.registerFeature(announced());
    return client;
  }

  private seen(message: Message): boolean {
    return this.intercepts.some((intercept) => intercept(message));
  }

  private middleware(): Middleware {
    return {
      ...acceptance(this),
      workspace: {
        configuration: ({ items }) =>
          items.map(({ section }) => (section === 'aiSidecar' ? this.settings.ofWorkspace() : null)),
        // An empty one makes the server ask: what the user has set does not pass for the workspace's.
        didChangeConfiguration: async () => {
          await this.client?.sendNotification('workspace/didChangeConfiguration', { settings: null });
        },
      },
    };
  }

  // --- telling -----------------------------------------------------------------------

  /** Restarts a server that ends by itself, a fifth end within three minutes is the last. */
  private errorHandler(): ErrorHandler {
    const ends: number[] = [];
    return {
      error: () => ({ action: ErrorAction.Continue, handled: true }),
      closed: () => {
        const now = Date.now();
        ends.push(now);
        const recent = ends.filter((at) => now - at < 180_000).length;
        this.log.error(`the server ended by itself (${recent} of 5 times within 3 minutes)`);
        if (recent < 5) return { action: CloseAction.Restart, handled: true };
        this.lost.fire('stopped');
        void this.report('ai-sidecar ended five times within three minutes and is not started again.', 'Show Log', 'Restart');
        return { action: CloseAction.DoNotRestart, handled: true };
      },
    };
  }

  private tell(error: unknown): void {
    this.lost.fire('not running');
    void this.report(`ai-sidecar could not be started: ${messageOf(error)}`, 'Show Log', 'Open Settings');
  }

  private async offer(): Promise<void> {
    if (this.offered) return;
    this.offered = true;
    const [install, without, choose] = ['Install', 'Without the Model', 'Choose Program…'];
    const answer = await vscode.window.showInformationMessage(
      'The program ai-sidecar was not found. It can be installed into a private Python environment of this extension, ' +
        `with a small model that answers without a key (${MODEL_SIZE}).`,
      install,
      without,
      choose,
    );
    if (answer === install) await this.install(true);
    else if (answer === without) await this.install(false);
    else if (answer === choose) await this.choose();
  }

  private async choose(): Promise<void> {
    const picked = await vscode.window.showOpenDialog({ title: 'The program ai-sidecar', canSelectMany: false });
    const file = picked?.[0]?.fsPath;
    if (file === undefined) return;
    const settings = vscode.workspace.getConfiguration('aiSidecar');
    await settings.update('path', file, vscode.ConfigurationTarget.Global);
    await this.restart();
  }

  private async report(message: string, ...actions: string[]): Promise<void> {
    const answer = await vscode.window.showErrorMessage(message, ...actions);
    if (answer === 'Show Log') this.log.show();
    else if (answer === 'Restart') await this.restart();
    else if (answer === 'Open Settings') await vscode.commands.executeCommand('aiSidecar.openSettings');
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Announces what the server may send us beside the protocol's own. */
function announced(): StaticFeature {
  return {
    fillClientCapabilities: (capabilities) => {
      const lm = typeof (vscode as Partial<typeof vscode>).lm?.selectChatModels === 'function';
      capabilities.experimental = { ...capabilities.experimental, aiSidecar: { status: true, ...(lm && { lm }) } };
    },
    initialize: () => undefined,
    getState: () => ({ kind: 'static' }),
    clear: () => undefined,
  };
}

// The editor's own models for the server (provider `vscode-lm`): `ai/lm/request`, answered null at once,
// then `ai/lm/delta` and one `ai/lm/end`.

import * as vscode from 'vscode';
import { ResponseError, type LanguageClient, type Message } from 'vscode-languageclient/node';
import { VENDOR } from './chatProvider.ts';
import { messageOf, type Sidecar } from './client.ts';
import { fromWire } from './lmMessages.ts';
import { METHOD_NOT_FOUND, type LmRequest } from './protocol.ts';

export class EditorModels {
  private readonly running = new Map<string, vscode.CancellationTokenSource>();

  constructor(private readonly sidecar: Sidecar) {
    sidecar.onClient((client) => client.onRequest('ai/lm/request', (request: LmRequest) => this.accept(client, request)));
    sidecar.onMessage((message) => this.cancelled(message));
    sidecar.onLost(() => this.stopAll());
  }

  private accept(client: LanguageClient, request: LmRequest): null {
    if (typeof (vscode as Partial<typeof vscode>).lm?.selectChatModels !== 'function') {
      throw new ResponseError(METHOD_NOT_FOUND, 'this editor has no models');
    }
    const source = new vscode.CancellationTokenSource();
    this.running.set(request.id, source);
    void this.answer(client, request, source.token)
      .catch((error: unknown) => this.sidecar.log.warn(`a model of the editor: ${messageOf(error)}`))
      .finally(() => {
        this.running.delete(request.id);
        source.dispose();
      });
    return null;
  }

  /**
   * The server cancels with the id of the request, which has been answered by then: the client would
   * drop that, so it is looked for here.
   */
  private cancelled(message: Message): boolean {
    const { method, params } = message as { method?: string; params?: { id?: unknown } };
    const source = method === '$/cancelRequest' ? this.running.get(String(params?.id)) : undefined;
    source?.cancel();
    return source !== undefined;
  }

  private stopAll(): void {
    for (const source of this.running.values()) source.cancel();
  }

  private async answer(client: LanguageClient, { id, ...request }: LmRequest, token: vscode.CancellationToken): Promise<void> {
    try {
      const model = await choose(request.model);
      const options: vscode.LanguageModelChatRequestOptions = { justification: 'ai-sidecar was asked to use this model.' };
      if (request.maxTokens !== undefined) options.modelOptions = { max_tokens: request.maxTokens };
      if (request.tools !== undefined) {
        options.tools = request.tools.map(({ name, description, parameters }) => ({ name, description: description ?? '', inputSchema: parameters }));
      }
      const response = await model.sendRequest(fromWire(request.messages), options, token);
      for await (const part of response.stream) {
        if (part instanceof vscode.LanguageModelTextPart) {
          if (part.value !== '') await client.sendNotification('ai/lm/delta', { id, text: part.value });
        } else if (part instanceof vscode.LanguageModelToolCallPart) {
          const toolCall = { id: part.callId, name: part.name, arguments: JSON.stringify(part.input) };
          await client.sendNotification('ai/lm/delta', { id, toolCall });
        }
      }
      await client.sendNotification('ai/lm/end', { id });
    } catch (error) {
      if (token.isCancellationRequested) return;
      await client.sendNotification('ai/lm/end', { id, error: { message: messageOf(error), kind: kindOf(error) } });
    }
  }
}

/** The model of that id or family; without a name, the first that the editor has. */
async function choose(name: string | undefined): Promise<vscode.LanguageModelChat> {
  const models = (await vscode.lm.selectChatModels()).filter(({ vendor }) => vendor !== VENDOR);
  const found = name === undefined ? models[0] : (models.find(({ id }) => id === name) ?? models.find(({ family }) => family === name));
  if (found !== undefined) return found;
  throw vscode.LanguageModelError.NotFound(
    models.length === 0 ? 'the editor has no models' : `the editor has no model ${name}; it has ${models.map(({ id }) => id).join(', ')}`,
  );
}

/** The kinds of the wire contract for what the editor throws. */
function kindOf(error: unknown): string {
  if (!(error instanceof vscode.LanguageModelError)) return 'server';
  return KINDS[error.code] ?? 'server';
}

const KINDS: Record<string, string> = {
  NoPermissions: 'permission',
  NotFound: 'modelNotFound',
  Blocked: 'contentFilter',
};

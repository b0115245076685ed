// Our providers' models in the editor's own chat, where the host has that API.

import * as vscode from 'vscode';
import { messageOf, type Sidecar } from './client.ts';
import { objectOf, textOfMessage, toWire, tools } from './lmMessages.ts';
import type { CompletionParams, Model, StreamEvent } from './protocol.ts';

export const VENDOR = 'ai-sidecar';

interface Offered extends vscode.LanguageModelChatInformation {
  readonly provider: string;
  readonly model: string;
}

/** Undefined where the host does not have the API. */
export function offerModels(sidecar: Sidecar): vscode.Disposable | undefined {
  const lm = (vscode as Partial<typeof vscode>).lm;
  if (typeof lm?.registerLanguageModelChatProvider !== 'function') return undefined;
  return lm.registerLanguageModelChatProvider(VENDOR, new ChatProvider(sidecar));
}

class ChatProvider implements vscode.LanguageModelChatProvider<Offered> {
  readonly onDidChangeLanguageModelChatInformation: vscode.Event<void>;

  constructor(private readonly sidecar: Sidecar) {
    this.onDidChangeLanguageModelChatInformation = sidecar.onReady;
  }

  async provideLanguageModelChatInformation(
    _: vscode.PrepareLanguageModelChatModelOptions,
    token: vscode.CancellationToken,
  ): Promise<Offered[]> {
    // The editor asks at its start, too: that starts no server, and asks nobody where there is no chat.
    if (!this.sidecar.running || !isWanted()) return [];
    try {
      const { models } = await this.sidecar.request<{ models: Model[] }>('ai/models', {}, token);
      // The editor's own models, given back to it, would be asked in a circle.
      return models.filter(({ provider }) => provider !== 'vscode-lm').map(offered);
    } catch (error) {
      this.sidecar.log.warn(`models for the chat: ${messageOf(error)}`);
      return [];
    }
  }

  async provideLanguageModelChatResponse(
    { provider, model }: Offered,
    messages: readonly vscode.LanguageModelChatRequestMessage[],
    options: vscode.ProvideLanguageModelChatResponseOptions,
    progress: vscode.Progress<vscode.LanguageModelResponsePart>,
    token: vscode.CancellationToken,
  ): Promise<void> {
    const params: CompletionParams = { provider, model, messages: toWire(messages), fallback: [] };
    const offeredTools = tools(options.tools);
    if (offeredTools.length > 0) {
      params.tools = offeredTools;
      params.toolChoice = options.toolMode === vscode.LanguageModelChatToolMode.Required ? 'required' : 'auto';
    }
    const calls = new ToolCalls();
    await this.sidecar.stream(
      params,
      (event) => {
        if (event.kind === 'text') progress.report(new vscode.LanguageModelTextPart(event.text));
        else if (event.kind === 'toolCall') calls.add(event);
      },
      token,
    );
    for (const call of calls.whole()) progress.report(call);
  }

  async provideTokenCount(
    { provider, model }: Offered,
    text: string | vscode.LanguageModelChatRequestMessage,
    token: vscode.CancellationToken,
  ): Promise<number> {
    const counted = typeof text === 'string' ? text : textOfMessage(text);
    const params = { provider, model, text: counted };
    return (await this.sidecar.request<{ tokens: number }>('ai/countTokens', params, token)).tokens;
  }
}

function isWanted(): boolean {
  const off = vscode.workspace.getConfiguration('chat').get<boolean>('disableAIFeatures', false);
  return !off && vscode.workspace.getConfiguration('aiSidecar').get<boolean>('chatModels', true);
}

/** Fragments of tool calls, put together: the editor wants them whole. */
class ToolCalls {
  private readonly calls = new Map<number, { id: string; name: string; json: string }>();

  add({ index, id, name, arguments: json }: StreamEvent & { kind: 'toolCall' }): void {
    const call = this.calls.get(index) ?? { id: '', name: '', json: '' };
    this.calls.set(index, { id: call.id || (id ?? ''), name: call.name + (name ?? ''), json: call.json + (json ?? '') });
  }

  *whole(): Iterable<vscode.LanguageModelToolCallPart> {
    for (const { id, name, json } of this.calls.values()) {
      yield new vscode.LanguageModelToolCallPart(id, name, objectOf(json));
    }
  }
}

function offered({ id, provider, contextWindow, maxOutputTokens, supports }: Model): Offered {
  const output = maxOutputTokens ?? 4096;
  const window = contextWindow ?? 32_768;
  return {
    id: `${provider}/${id}`,
    name: id,
    family: id,
    detail: provider,
    tooltip: `${id} of ${provider}, through ai-sidecar`,
    version: '1',
    maxInputTokens: Math.max(window - output, Math.floor(window / 2)),
    maxOutputTokens: output,
    capabilities: { imageInput: supports.vision, toolCalling: supports.tools },
    provider,
    model: id,
  };
}

// Messages of the editor's language model API and of the wire contract, turned into each other.

import * as vscode from 'vscode';
import type { Message, Part, Tool, ToolCall } from './protocol.ts';

type EditorMessage = vscode.LanguageModelChatRequestMessage;

/** What the editor's chat sends, for `ai/stream`. Tool results become messages of their own. */
export function toWire(messages: readonly EditorMessage[]): Message[] {
  return messages.flatMap(({ role, content }) => {
    const results: Message[] = [];
    const parts: Part[] = [];
    const toolCalls: ToolCall[] = [];
    for (const part of content) {
      if (part instanceof vscode.LanguageModelToolResultPart) {
        results.push({ role: 'tool', toolCallId: part.callId, content: textOf(part.content) });
      } else if (part instanceof vscode.LanguageModelToolCallPart) {
        toolCalls.push({ id: part.callId, name: part.name, arguments: JSON.stringify(part.input) });
      } else if (part instanceof vscode.LanguageModelTextPart) {
        parts.push({ type: 'text', text: part.value });
      } else {
        const image = imageOf(part);
        if (image !== undefined) parts.push(image);
      }
    }
    if (parts.length === 0 && toolCalls.length === 0) return results;
    const speaker = role === vscode.LanguageModelChatMessageRole.Assistant ? 'assistant' : 'user';
    return [...results, { role: speaker, content: parts, ...(toolCalls.length > 0 && { toolCalls }) }];
  });
}

/** What the server sends with `ai/lm/request`, for a model of the editor, which knows no system prompt. */
export function fromWire(messages: readonly Message[]): vscode.LanguageModelChatMessage[] {
  return messages.map((message) => {
    const parts = typeof message.content === 'string' ? [{ type: 'text' as const, text: message.content }] : message.content;
    const text = parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('');
    if (message.role === 'tool') {
      const result = new vscode.LanguageModelToolResultPart(message.toolCallId, [new vscode.LanguageModelTextPart(text)]);
      return vscode.LanguageModelChatMessage.User([result]);
    }
    if (message.role === 'assistant') {
      const calls = (message.toolCalls ?? []).map(
        ({ id, name, arguments: json }) => new vscode.LanguageModelToolCallPart(id, name, objectOf(json)),
      );
      return vscode.LanguageModelChatMessage.Assistant([...(text === '' ? [] : [new vscode.LanguageModelTextPart(text)]), ...calls]);
    }
    return vscode.LanguageModelChatMessage.User(userParts(parts));
  });
}

export function tools(given: readonly vscode.LanguageModelChatTool[] | undefined): Tool[] {
  return (given ?? []).map(({ name, description, inputSchema }) => ({
    name,
    description,
    parameters: inputSchema ?? { type: 'object', properties: {} },
  }));
}

/** Arguments of a tool call as an object; a model's bad JSON is an empty one. */
export function objectOf(json: string): object {
  try {
    const value: unknown = JSON.parse(json === '' ? '{}' : json);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

function userParts(parts: readonly Part[]): (vscode.LanguageModelTextPart | vscode.LanguageModelDataPart)[] {
  return parts.flatMap<vscode.LanguageModelTextPart | vscode.LanguageModelDataPart>((part) => {
    if (part.type === 'text') return [new vscode.LanguageModelTextPart(part.text)];
    if (part.type !== 'image') return [];
    if ('url' in part) throw new Error('a model of the editor takes no image by its address');
    return [vscode.LanguageModelDataPart.image(Buffer.from(part.data, 'base64'), part.mimeType)];
  });
}

function imageOf(part: unknown): Part | undefined {
  if (!(part instanceof vscode.LanguageModelDataPart) || !part.mimeType.startsWith('image/')) return undefined;
  return { type: 'image', mimeType: part.mimeType, data: Buffer.from(part.data).toString('base64') };
}

function textOf(content: readonly unknown[]): string {
  return content.map((part) => (part instanceof vscode.LanguageModelTextPart ? part.value : '')).join('');
}

/** All text of a message, for counting. */
export function textOfMessage({ content }: EditorMessage): string {
  return content
    .map((part) => {
      if (part instanceof vscode.LanguageModelTextPart) return part.value;
      if (part instanceof vscode.LanguageModelToolResultPart) return textOf(part.content);
      if (part instanceof vscode.LanguageModelToolCallPart) return part.name + JSON.stringify(part.input);
      return '';
    })
    .join('');
}

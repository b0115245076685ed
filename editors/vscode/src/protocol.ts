// What of the wire contract the extension uses. Types only; docs/protocol.md has all of it.

export interface ToolCall {
  id: string;
  name: string;
  arguments: string;
}

export type Part =
  | { type: 'text'; text: string }
  | { type: 'image'; mimeType: string; data: string }
  | { type: 'image'; url: string }
  | { type: 'reasoning'; text: string; opaque?: string };

export type Message =
  | { role: 'system' | 'user' | 'assistant'; content: string | Part[]; toolCalls?: ToolCall[] }
  | { role: 'tool'; toolCallId: string; content: string | Part[]; isError?: boolean };

export interface Tool {
  name: string;
  description?: string;
  parameters: object;
}

export interface CompletionParams {
  messages: Message[];
  provider?: string;
  model?: string;
  maxTokens?: number;
  tools?: Tool[];
  toolChoice?: 'auto' | 'required';
  partialResultToken?: string;
  fallback?: string[];
}

export interface Usage {
  inputTokens: number;
  outputTokens: number;
  totalTokens: number;
}

export interface CompletionResult {
  provider: string;
  model: string;
  text: string;
  reasoning?: Part[];
  finishReason: 'stop' | 'length' | 'toolCalls' | 'contentFilter' | 'other';
  usage: Usage;
  cost: { usd: number; source: string } | null;
}

export interface ErrorData {
  kind: string;
  provider?: string;
  model?: string;
  retryable: boolean;
  retryAfterMs?: number;
}

export type StreamEvent =
  | { kind: 'start'; id: string; provider: string; model: string }
  | { kind: 'text'; text: string }
  | { kind: 'reasoning'; text: string; opaque?: string }
  | { kind: 'toolCall'; index: number; id?: string; name?: string; arguments?: string }
  | { kind: 'code'; language: string; code: string; output?: string }
  | { kind: 'citation'; url: string; title?: string }
  | { kind: 'retry'; provider: string; model: string; waitMs: number; error: ErrorData };

export interface Model {
  id: string;
  provider: string;
  contextWindow: number | null;
  maxOutputTokens: number | null;
  supports: { streaming: boolean; tools: boolean; vision: boolean; reasoning: boolean };
  price?: { inputPerMTok: number; outputPerMTok: number };
}

export interface Provider {
  id: string;
  kind: string;
  configured: boolean;
  isDefault: boolean;
  keySource?: string;
  baseUrl: string;
  configError?: string;
}

export interface Status {
  busy: boolean;
  kind: 'Normal' | 'Warning' | 'Error' | 'Inactive';
  message: string;
  provider?: string;
  model?: string;
  tokens?: number;
  costUsd?: number;
}

export interface LmRequest {
  id: string;
  messages: Message[];
  model?: string;
  tools?: Tool[];
  maxTokens?: number;
}

export const CANCELLED = -32800;
export const METHOD_NOT_FOUND = -32601;

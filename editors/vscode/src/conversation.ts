// One conversation: its turns, and what of them the model is sent again. Pure.

import type { CompletionResult, Message, Part } from './protocol.ts';
import { fenced } from './text.ts';

/** A piece of a document that goes with a question. */
export interface Context {
  label: string;
  language: string;
  text: string;
}

export interface Turn {
  question: string;
  context?: Context;
  answer: string;
  reasoning: string;
  state: 'asking' | 'done' | 'stopped' | 'failed';
  /** What is going on: a retry, an error. */
  notice: string;
  /** What can be done about an error. */
  actions: Action[];
  /** Model, tokens, cost. */
  footer: string;
  /** The provider's own state, which goes back with the next question. */
  parts?: Part[];
}

export type Action = 'retry' | 'installProgram' | 'setApiKey' | 'chooseModel' | 'openSettings' | 'showLog';

export function newTurn(question: string, context?: Context): Turn {
  const empty = { answer: '', reasoning: '', notice: '', actions: [], footer: '' };
  return { question, state: 'asking', ...empty, ...(context !== undefined && { context }) };
}

/** What is sent to answer the last turn. Turns that were not answered are left out. */
export function messagesOf(turns: readonly Turn[]): Message[] {
  const messages: Message[] = [];
  turns.forEach((turn, index) => {
    const last = index === turns.length - 1;
    if (!last && turn.answer === '') return;
    messages.push({ role: 'user', content: questionOf(turn) });
    if (last) return;
    const text: Part = { type: 'text', text: turn.answer };
    messages.push({ role: 'assistant', content: turn.parts === undefined ? turn.answer : [...turn.parts, text] });
  });
  return messages;
}

/** Only a whole answer's reasoning goes back: providers refuse a part of it. */
export function reasoningOf(result: CompletionResult): Part[] | undefined {
  return result.reasoning !== undefined && result.reasoning.length > 0 ? result.reasoning : undefined;
}

function questionOf({ question, context }: Turn): string {
  if (context === undefined) return question;
  return `${question}\n\n${context.label}:\n${fenced(context.text, context.language)}`;
}

/** What may help against an error of this kind. */
export function actionsFor(kind: string | undefined): Action[] {
  switch (kind) {
    case 'authentication':
    case 'permission':
    case 'notConfigured':
      return ['setApiKey', 'chooseModel', 'openSettings'];
    case 'modelNotFound':
    case 'providerNotFound':
    case 'contextLength':
      return ['chooseModel'];
    case 'quota':
    case 'budgetExceeded':
      return ['openSettings', 'chooseModel'];
    case 'contentFilter':
    case 'invalidRequest':
      return ['showLog'];
    default:
      return ['retry', 'showLog'];
  }
}

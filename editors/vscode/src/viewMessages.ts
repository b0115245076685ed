// What the extension and the page of its view tell each other. Types only.

import type { Action, Turn } from './conversation.ts';

export type ToView =
  | { type: 'state'; turns: Turn[]; busy: boolean; context?: string }
  | { type: 'turn'; turn: Turn }
  | { type: 'delta'; kind: 'text' | 'reasoning'; text: string }
  | { type: 'focus' };

export type FromView =
  | { type: 'ready' }
  | { type: 'focused' }
  | { type: 'ask'; text: string }
  | { type: 'stop' }
  | { type: 'dropContext' }
  | { type: 'copy'; text: string }
  | { type: 'insert'; text: string }
  | { type: 'action'; action: Action };

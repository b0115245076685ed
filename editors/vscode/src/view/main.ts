// The page of the ask view. It keeps no state of its own but what is being typed.

import type { Action, Turn } from '../conversation.ts';
import type { FromView, ToView } from '../viewMessages.ts';
import { render } from './render.ts';

declare function acquireVsCodeApi(): { postMessage(message: FromView): void; getState(): unknown; setState(state: unknown): void };

const api = acquireVsCodeApi();
const turnsBox = byId('turns');
const form = byId('form') as HTMLFormElement;
const question = byId('question') as HTMLTextAreaElement;
const send = byId('send') as HTMLButtonElement;
const context = byId('context') as HTMLButtonElement;

const LABELS: Record<Action, string> = {
  retry: 'Try Again',
  installProgram: 'Install',
  setApiKey: 'Set API Key…',
  chooseModel: 'Choose Model…',
  openSettings: 'Open Settings',
  showLog: 'Show Log',
};

let turns: Turn[] = [];
let busy = false;
let drawn = false;

window.addEventListener('message', ({ data }: MessageEvent<ToView>) => {
  switch (data.type) {
    case 'state':
      ({ turns, busy } = data);
      showContext(data.context);
      showAll();
      break;
    case 'turn':
      turns[turns.length - 1] = data.turn;
      draw();
      break;
    case 'delta': {
      const last = turns.at(-1);
      if (last === undefined) break;
      if (data.kind === 'text') last.answer += data.text;
      else last.reasoning += data.text;
      draw();
      break;
    }
    case 'focus':
      question.focus();
      api.postMessage({ type: 'focused' });
  }
});

form.addEventListener('submit', (event) => {
  event.preventDefault();
  if (busy) return api.postMessage({ type: 'stop' });
  const text = question.value.trim();
  if (text === '') return;
  question.value = '';
  api.setState('');
  api.postMessage({ type: 'ask', text });
});
question.addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing && !busy) {
    event.preventDefault();
    form.requestSubmit();
  } else if (event.key === 'Escape' && busy) api.postMessage({ type: 'stop' });
});
question.addEventListener('input', () => api.setState(question.value));
context.addEventListener('click', () => api.postMessage({ type: 'dropContext' }));

const typed = api.getState();
if (typeof typed === 'string') question.value = typed;
api.postMessage({ type: 'ready' });

function showContext(label: string | undefined): void {
  context.hidden = label === undefined;
  context.textContent = label === undefined ? '' : `${label}  ×`;
}

function showAll(): void {
  send.textContent = busy ? 'Stop' : 'Ask';
  send.classList.toggle('stop', busy);
  keepingTheEnd(() => turnsBox.replaceChildren(...(turns.length === 0 ? [welcome()] : turns.map(turnBox))));
}

/** Draws the last turn, once a frame however many pieces have come. */
function draw(): void {
  if (drawn) return;
  drawn = true;
  requestAnimationFrame(() => {
    drawn = false;
    const last = turns.at(-1);
    const box = turnsBox.lastElementChild;
    if (last !== undefined && box !== null) keepingTheEnd(() => box.replaceWith(turnBox(last)));
  });
}

function keepingTheEnd(change: () => void): void {
  const { scrollHeight, scrollTop, clientHeight } = turnsBox;
  const atEnd = scrollHeight - scrollTop - clientHeight < 40;
  change();
  if (atEnd) turnsBox.scrollTop = turnsBox.scrollHeight;
}

function turnBox(turn: Turn): HTMLElement {
  const box = element('section', `turn ${turn.state}`);
  box.append(element('div', 'question', turn.question));
  if (turn.context !== undefined) box.append(element('div', 'chip', turn.context.label));
  if (turn.reasoning !== '') box.append(reasoningBox(turn));
  const answer = element('div', 'answer');
  answer.innerHTML = render(turn.answer);
  for (const code of answer.querySelectorAll('pre')) code.before(codeButtons(code));
  box.append(answer);
  if (turn.state === 'asking' && turn.answer === '') box.append(element('div', 'waiting', turn.notice || '…'));
  else if (turn.notice !== '') box.append(element('div', 'notice', turn.notice));
  if (turn.actions.length > 0) {
    const row = element('div', 'actions');
    row.append(...turn.actions.map((action) => button(LABELS[action], () => api.postMessage({ type: 'action', action }))));
    box.append(row);
  }
  if (turn.state !== 'asking' && turn.answer !== '') box.append(footer(turn));
  return box;
}

function reasoningBox(turn: Turn): HTMLElement {
  const box = document.createElement('details');
  box.className = 'reasoning';
  box.open = turn.answer === '';
  box.append(element('summary', '', 'Reasoning'), element('div', '', turn.reasoning));
  return box;
}

function codeButtons(code: HTMLElement): HTMLElement {
  const row = element('div', 'code-actions');
  const text = (): string => code.textContent ?? '';
  row.append(
    button('Copy', () => api.postMessage({ type: 'copy', text: text() })),
    button('Insert', () => api.postMessage({ type: 'insert', text: text() })),
  );
  return row;
}

function footer(turn: Turn): HTMLElement {
  const row = element('div', 'footer');
  row.append(element('span', '', turn.footer), button('Copy Answer', () => api.postMessage({ type: 'copy', text: turn.answer })));
  return row;
}

function welcome(): HTMLElement {
  return element('p', 'welcome', 'Ask anything. Select code first to ask about it.');
}

function button(label: string, run: () => void): HTMLButtonElement {
  const made = document.createElement('button');
  made.type = 'button';
  made.textContent = label;
  made.addEventListener('click', run);
  return made;
}

function element(tag: string, className: string, text = ''): HTMLElement {
  const made = document.createElement(tag);
  if (className !== '') made.className = className;
  made.textContent = text;
  return made;
}

function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(id);
  return found;
}

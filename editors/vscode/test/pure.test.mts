// The parts that know nothing of the editor. Run by `npm test` (Node's own runner, types stripped).

import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { test } from 'node:test';
import { messagesOf, newTurn } from '../src/conversation.ts';
import { masked } from '../src/log.ts';
import { collect, withKeys } from '../src/options.ts';
import { partlyAccepted } from '../src/partial.ts';
import { findProgram } from '../src/program.ts';
import { redact, secretsIn } from '../src/redact.ts';
import { dollars, fenced, spent, tokens, withModel } from '../src/text.ts';

test('settings nest by their dots, and what is not set is absent', () => {
  const values: Record<string, unknown> = { default: 'up/m', 'inline.enabled': false, 'inline.model': null };
  assert.deepEqual(collect(['default', 'inline.enabled', 'inline.model', 'providers'], (name) => values[name]), {
    default: 'up/m',
    inline: { enabled: false },
  });
});

test('a stored key goes into its provider and changes no setting', () => {
  const options = { providers: { up: { baseUrl: 'http://x' } } };
  assert.deepEqual(withKeys(options, { up: 'k1', other: 'k2' }), {
    providers: { up: { baseUrl: 'http://x', apiKey: 'k1' }, other: { apiKey: 'k2' } },
  });
  assert.deepEqual(options, { providers: { up: { baseUrl: 'http://x' } } });
});

test('no secret is left in a line, as it is or as JSON writes it', () => {
  const key = 'sk-"quoted"\\0123';
  const line = JSON.stringify({ headers: { 'X-Key': key }, apiKey: 'never-stored-anywhere' }) + key;
  const safe = redact(line, [key]);
  assert.ok(!safe.includes('0123') && !safe.includes('never-stored'), safe);
});

test('secrets are found in settings, names of where they are found are not', () => {
  const settings = { providers: { a: { apiKey: ['k-1', { env: 'A_KEY' }], headers: { authorization: 'h-1' } }, b: { apiKey: 'k-2', model: 'm' } } };
  assert.deepEqual(secretsIn(settings), ['k-1', 'h-1', 'k-2']);
});

test('the log masks every level, objects and errors too', () => {
  const written: string[] = [];
  const write = (...args: unknown[]): void => void written.push(args.join(' '));
  const channel = { trace: write, debug: write, info: write, warn: write, error: write, append: write, appendLine: write, replace: write };
  const log = masked(channel as never, () => ['sk-secret-1']);
  log.trace('Params: {"x":"sk-secret-1"}');
  log.info('a', { key: 'sk-secret-1' });
  log.error(new Error('sk-secret-1'));
  log.appendLine('sk-secret-1');
  assert.equal(written.length, 4);
  assert.ok(written.every((line) => line.includes('***') && !line.includes('secret')), written.join('\n'));
});

test('a part of a completion is told from typing', () => {
  assert.equal(partlyAccepted('return a', 'return'), 6);
  for (const text of ['r', 'return a', '()', 'other']) assert.equal(partlyAccepted(`${text.slice(0, 1)}eturn a`, text), 0);
});

test('a conversation leaves out what was not answered', () => {
  const answered = { ...newTurn('one'), answer: 'first', state: 'done' as const };
  const stopped = { ...newTurn('two'), state: 'stopped' as const };
  const last = newTurn('three', { label: 'a.py:1', language: 'python', text: 'x = 1' });
  assert.deepEqual(messagesOf([answered, stopped, last]), [
    { role: 'user', content: 'one' },
    { role: 'assistant', content: 'first' },
    { role: 'user', content: 'three\n\na.py:1:\n```python\nx = 1\n```' },
  ]);
});

test('a fence is longer than those inside', () => {
  assert.equal(fenced('a\n```\nb\n', 'md'), '````md\na\n```\nb\n````');
});

test('numbers for people', () => {
  assert.deepEqual([999, 1000, 1234, 200_000, 1_050_000].map(tokens), ['999', '1k', '1.2k', '200k', '1.05M']);
  assert.deepEqual([0, 0.00001, 0.00123, 0.0123, 12.345].map(dollars), ['$0', '<$0.0001', '$0.0012', '$0.012', '$12.35']);
  assert.equal(spent(undefined, null), '');
  assert.equal(spent(8, 0), '8 tokens · $0');
});

async function program(...folders: string[]): Promise<string> {
  const folder = path.join(...folders);
  await mkdir(folder, { recursive: true });
  const file = path.join(folder, 'ai-sidecar');
  await writeFile(file, '#!/bin/sh\n');
  await chmod(file, 0o755);
  return file;
}

test('the program: the setting, then PATH, then our own environment; never from the workspace', { skip: process.platform === 'win32' }, async () => {
  const root = await mkdtemp(path.join(tmpdir(), 'places-'));
  const workspace = path.join(root, 'workspace');
  const theirs = await program(workspace, 'bin');
  const own = await program(root, 'own', 'bin');
  const places = { configured: '', searchPath: `${path.dirname(theirs)}:relative`, own: path.join(root, 'own'), workspace: [workspace], home: root };
  assert.deepEqual(await findProgram({ ...places, own: path.join(root, 'none') }), undefined);
  assert.deepEqual(await findProgram(places), { program: own, from: 'own' });
  const inPath = await program(root, '.local', 'bin');
  assert.deepEqual(await findProgram(places), { program: inPath, from: 'path' });
  const chosen = await program(root, 'chosen');
  assert.deepEqual(await findProgram({ ...places, configured: chosen }), { program: chosen, from: 'setting' });
  assert.deepEqual(await findProgram({ ...places, configured: '~/chosen/ai-sidecar' }), { program: chosen, from: 'setting' });
  await assert.rejects(findProgram({ ...places, configured: 'ai-sidecar' }), /absolute/);
  await assert.rejects(findProgram({ ...places, configured: path.join(root, 'nowhere') }), /cannot|not a program/);
});

test('what is installed is asked for with its extra', () => {
  assert.equal(withModel('/a b/ai_sidecar-0.1.0-py3-none-any.whl'), '/a b/ai_sidecar-0.1.0-py3-none-any.whl[local]');
  assert.equal(withModel('git+https://host/x.git'), 'ai-sidecar[local] @ git+https://host/x.git');
  assert.equal(withModel('/clone[local]'), '/clone[local]');
});

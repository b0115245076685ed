// The log that the user sees ("ai-sidecar" in the output view), with no key in it.

import type * as vscode from 'vscode';
import { redact } from './redact.ts';

/**
 * Returns a channel like `channel` that masks secrets. The language client writes the messages of the
 * protocol into it at level trace, and `initialize` carries keys.
 */
export function masked(channel: vscode.LogOutputChannel, secrets: () => Iterable<string>): vscode.LogOutputChannel {
  const clean = (value: unknown): string =>
    redact(typeof value === 'string' ? value : value instanceof Error ? (value.stack ?? value.message) : JSON.stringify(value), secrets());
  const level =
    (name: 'trace' | 'debug' | 'info' | 'warn' | 'error') =>
    (message: string | Error, ...more: unknown[]) =>
      channel[name](clean(message), ...more.map(clean));
  return {
    get name() {
      return channel.name;
    },
    get logLevel() {
      return channel.logLevel;
    },
    onDidChangeLogLevel: channel.onDidChangeLogLevel,
    trace: level('trace'),
    debug: level('debug'),
    info: level('info'),
    warn: level('warn'),
    error: level('error'),
    append: (value) => channel.append(clean(value)),
    appendLine: (value) => channel.appendLine(clean(value)),
    replace: (value) => channel.replace(clean(value)),
    clear: () => channel.clear(),
    show: (...args: unknown[]) => channel.show(args.find((arg) => typeof arg === 'boolean')),
    hide: () => channel.hide(),
    dispose: () => channel.dispose(),
  };
}

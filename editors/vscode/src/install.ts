// Installs the program into an environment of its own, in the extension's folder: python -m venv, pip.

import { execFile } from 'node:child_process';
import { mkdir, readdir, rm } from 'node:fs/promises';
import * as path from 'node:path';
import * as vscode from 'vscode';
import { isProgram, programIn } from './program.ts';

const CANDIDATES = ['python3', 'python3.13', 'python3.12', 'python3.11', 'python', 'py'];
const CHECK = 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))';
const MINUTES = 60_000;

export class InstallError extends Error {}

/** Makes the environment `own` and installs into it, with progress that can be cancelled. */
export async function installProgram(context: vscode.ExtensionContext, own: string, log: vscode.LogOutputChannel): Promise<void> {
  const settings = vscode.workspace.getConfiguration('aiSidecar');
  const storage = context.globalStorageUri.fsPath;
  await mkdir(storage, { recursive: true });
  const source = await sourceOf(context, userValue(settings, 'installSource'));
  const python = await findPython(userValue(settings, 'python'), storage);
  await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title: 'Installing ai-sidecar', cancellable: true },
    async (progress, token) => {
      const run = runner(storage, token, log);
      try {
        progress.report({ message: 'making an environment…' });
        await rm(own, { recursive: true, force: true });
        await run(python, ['-m', 'venv', own]);
        progress.report({ message: 'fetching packages…' });
        const inside = path.join(path.dirname(programIn(own)), process.platform === 'win32' ? 'python.exe' : 'python');
        await run(inside, ['-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', source]);
        if (!(await isProgram(programIn(own)))) throw new InstallError(`${source} does not contain ai-sidecar`);
      } catch (error) {
        await rm(own, { recursive: true, force: true });
        throw error;
      }
    },
  );
}

/** What the user has set; a workspace's value is never looked at. */
function userValue(settings: vscode.WorkspaceConfiguration, name: string): string {
  return (settings.inspect<string>(name)?.globalValue ?? '').trim();
}

/** The setting, else the wheel that the extension carries: the same version, from no index. */
async function sourceOf(context: vscode.ExtensionContext, configured: string): Promise<string> {
  if (configured !== '') return configured;
  const folder = path.join(context.extensionPath, 'server');
  const wheel = (await readdir(folder).catch(() => [])).find((name) => name.endsWith('.whl'));
  if (wheel === undefined) throw new InstallError('this build carries no package: set aiSidecar.installSource');
  return path.join(folder, wheel);
}

async function findPython(configured: string, cwd: string): Promise<string> {
  for (const candidate of configured !== '' ? [configured] : CANDIDATES) {
    const fits = await new Promise<boolean>((resolve) => {
      execFile(candidate, ['-I', '-c', CHECK], { cwd, timeout: 15_000 }, (error) => resolve(error === null));
    });
    if (fits) return candidate;
  }
  throw new InstallError(
    configured !== ''
      ? `aiSidecar.python: ${configured} is no Python 3.11 or later with venv`
      : 'no Python 3.11 or later with venv was found (on Debian and Ubuntu: apt install python3-venv)',
  );
}

type Run = (program: string, args: string[]) => Promise<void>;

function runner(cwd: string, token: vscode.CancellationToken, log: vscode.LogOutputChannel): Run {
  return (program, args) =>
    new Promise((resolve, reject) => {
      log.info(`${program} ${args.join(' ')}`);
      const child = execFile(program, args, { cwd, timeout: 15 * MINUTES, maxBuffer: 16 << 20 }, (error, out, err) => {
        stop.dispose();
        log.info(out.trimEnd());
        if (token.isCancellationRequested) reject(new vscode.CancellationError());
        else if (error === null) resolve();
        else {
          log.error(err.trimEnd());
          reject(new InstallError(err.trim().split('\n').at(-1) ?? error.message));
        }
      });
      const stop = token.onCancellationRequested(() => child.kill());
    });
}

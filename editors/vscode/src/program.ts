// Finds the program: the setting, then PATH and where installers put it, then our own environment.
//
// An editor that was started from a desktop lacks the shell's PATH, hence the usual folders. No folder
// below the workspace is ever looked into: whoever wrote the workspace would choose the program.

import { constants } from 'node:fs';
import { access, readdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import * as path from 'node:path';

export interface Places {
  /** The setting `aiSidecar.path`; may begin with ~. */
  configured: string;
  /** PATH as the editor has it. */
  searchPath: string;
  /** The folder of our private environment. */
  own: string;
  /** The folders that are open. */
  workspace: readonly string[];
  windows?: boolean;
  home?: string;
}

export type Found = { program: string; from: 'setting' | 'path' | 'own' };

/** Returns where the program is, undefined if it is nowhere. Throws if the setting names no program. */
export async function findProgram(places: Places): Promise<Found | undefined> {
  const windows = places.windows ?? process.platform === 'win32';
  const home = places.home ?? homedir();
  if (places.configured !== '') {
    const program = places.configured.replace(/^~(?=[/\\])/, home);
    if (!path.isAbsolute(program)) throw new Error(`aiSidecar.path: expected an absolute path, got ${program}`);
    if (!(await isProgram(program))) throw new Error(`aiSidecar.path: ${program} is not a program that can be run`);
    return { program, from: 'setting' };
  }
  const name = windows ? 'ai-sidecar.exe' : 'ai-sidecar';
  const inPath = places.searchPath.split(windows ? ';' : ':');
  for (const folder of [...inPath, ...(await usualFolders(home, windows))]) {
    const program = path.join(folder, name);
    if (path.isAbsolute(folder) && !isBelow(folder, places.workspace) && (await isProgram(program))) {
      return { program, from: 'path' };
    }
  }
  const own = programIn(places.own, windows);
  return (await isProgram(own)) ? { program: own, from: 'own' } : undefined;
}

/** Where a virtual environment has the program. */
export function programIn(environment: string, windows = process.platform === 'win32'): string {
  return windows ? path.join(environment, 'Scripts', 'ai-sidecar.exe') : path.join(environment, 'bin', 'ai-sidecar');
}

export async function isProgram(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function isBelow(folder: string, roots: readonly string[]): boolean {
  return roots.some((root) => {
    const relative = path.relative(root, folder);
    return relative === '' || (!relative.startsWith('..') && !path.isAbsolute(relative));
  });
}

/** pipx, uv tool and pip --user; Homebrew and /usr/local for editors started from a desktop. */
async function usualFolders(home: string, windows: boolean): Promise<string[]> {
  if (!windows) return [path.join(home, '.local', 'bin'), '/usr/local/bin', '/opt/homebrew/bin'];
  const python = path.join(home, 'AppData', 'Roaming', 'Python');
  const versions = await readdir(python).catch(() => []);
  return [path.join(home, '.local', 'bin'), ...versions.map((version) => path.join(python, version, 'Scripts'))];
}

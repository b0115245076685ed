// Bundles the extension (Node) and the script of its view (browser) into dist/, and gathers the licences
// of what is bundled: most of them want to be passed on with it.
import { build } from 'esbuild';
import { copyFile, readFile, readdir, writeFile } from 'node:fs/promises';
import * as path from 'node:path';

const common = { bundle: true, minify: true, legalComments: 'none', metafile: true, target: 'es2022', logLevel: 'warning' };

const extension = await build({
  ...common,
  entryPoints: ['src/extension.ts'],
  outfile: 'dist/extension.js',
  platform: 'node',
  format: 'cjs',
  external: ['vscode'],
  // Its "main" is UMD, which cannot be bundled.
  mainFields: ['module', 'main'],
});
const view = await build({
  ...common,
  entryPoints: ['src/view/main.ts'],
  outfile: 'dist/view.js',
  platform: 'browser',
  format: 'iife',
});
await copyFile('src/view/view.css', 'dist/view.css');

/** The packages that a bundle was made of: their folders. */
const folders = new Set();
for (const input of [extension, view].flatMap((built) => Object.keys(built.metafile.inputs))) {
  const at = input.lastIndexOf('node_modules/');
  if (at < 0) continue;
  const [scope, name] = input.slice(at).split('/').slice(1);
  folders.add(input.slice(0, at) + path.posix.join('node_modules', scope, scope.startsWith('@') ? name : ''));
}
const notices = ['# Third-party notices\n\nThe extension contains code of these packages.\n'];
for (const folder of [...folders].map((folder) => folder.replace(/\/$/, '')).sort()) {
  const { name, version, license } = JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8'));
  const file = (await readdir(folder)).find((entry) => /^licen[cs]e/i.test(entry));
  if (file === undefined) throw new Error(`${folder} has no licence file`);
  const text = await readFile(path.join(folder, file), 'utf8');
  notices.push(`## ${name} ${version} (${license})\n\n${text.replaceAll('\r\n', '\n').trim()}\n`);
}
await writeFile('dist/ThirdPartyNotices.txt', notices.join('\n'));

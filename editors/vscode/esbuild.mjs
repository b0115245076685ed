// Bundles the extension (Node) and the script of its view (browser) into dist/.
import { build } from 'esbuild';
import { copyFile } from 'node:fs/promises';

const common = { bundle: true, minify: true, legalComments: 'none', target: 'es2022', logLevel: 'warning' };

await build({
  ...common,
  entryPoints: ['src/extension.ts'],
  outfile: 'dist/extension.js',
  platform: 'node',
  format: 'cjs',
  external: ['vscode'],
  // Its "main" is UMD, which cannot be bundled.
  mainFields: ['module', 'main'],
});
await build({
  ...common,
  entryPoints: ['src/view/main.ts'],
  outfile: 'dist/view.js',
  platform: 'browser',
  format: 'iife',
});
await copyFile('src/view/view.css', 'dist/view.css');

// The view of a conversation: a webview that gets plain data and sends plain data back.
//
// Answers are not trusted. The page runs one script (of ours, by nonce), loads no image and reaches
// no address; markdown is rendered without raw HTML (view/render.ts).

import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';
import type { FromView, ToView } from './viewMessages.ts';

export const VIEW = 'aiSidecar.ask';

export class AskView implements vscode.WebviewViewProvider {
  private webview: vscode.Webview | undefined;

  constructor(
    private readonly extensionUri: vscode.Uri,
    private readonly received: (message: FromView) => void,
  ) {}

  resolveWebviewView(view: vscode.WebviewView): void {
    const dist = vscode.Uri.joinPath(this.extensionUri, 'dist');
    const webview = (this.webview = view.webview);
    webview.options = { enableScripts: true, localResourceRoots: [dist] };
    webview.onDidReceiveMessage(this.received);
    view.onDidDispose(() => (this.webview = undefined));
    webview.html = page(webview, dist);
  }

  async reveal(): Promise<void> {
    await vscode.commands.executeCommand(`${VIEW}.focus`);
  }

  /** A view that is hidden is sent nothing: it gets the whole state when it is shown again. */
  post(message: ToView): void {
    void this.webview?.postMessage(message);
  }

  progress<T>(task: () => Promise<T>): Thenable<T> {
    return vscode.window.withProgress({ location: { viewId: VIEW } }, task);
  }
}

function page(webview: vscode.Webview, dist: vscode.Uri): string {
  const nonce = randomBytes(16).toString('base64');
  const script = webview.asWebviewUri(vscode.Uri.joinPath(dist, 'view.js')).toString();
  const style = webview.asWebviewUri(vscode.Uri.joinPath(dist, 'view.css')).toString();
  const policy = `default-src 'none'; style-src ${webview.cspSource}; script-src 'nonce-${nonce}'`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="${style}">
<title>Ask</title>
</head>
<body>
<main id="turns" aria-live="polite"></main>
<form id="form">
<button type="button" id="context" hidden title="Do not send this"></button>
<textarea id="question" rows="3" placeholder="Ask… (Enter sends, Shift+Enter makes a new line)" aria-label="Question"></textarea>
<button type="submit" id="send">Ask</button>
</form>
<script nonce="${nonce}" src="${script}"></script>
</body>
</html>`;
}

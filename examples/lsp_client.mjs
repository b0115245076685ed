// The same in JavaScript: starts the sidecar, streams one answer, cancels it on Ctrl-C.
//
//     node examples/lsp_client.mjs "Write a haiku about editors"

import { spawn } from "node:child_process";

const sidecar = spawn("ai-sidecar", ["--stdio"], { stdio: ["pipe", "pipe", "inherit"] });

function send(message) {
  const body = Buffer.from(JSON.stringify({ jsonrpc: "2.0", ...message }));
  sidecar.stdin.write(`Content-Length: ${body.length}\r\n\r\n`);
  sidecar.stdin.write(body);
}

function receive(message) {
  if (message.method === "$/progress" && message.params.value.kind === "text") {
    process.stdout.write(message.params.value.text);
  }
  if (message.id === 2) {
    process.stdout.write("\n");
    if (message.error) {
      process.stderr.write(`${message.error.message}\n`);
      process.exitCode = 1;
    }
    send({ id: 3, method: "shutdown" });
    send({ method: "exit" });
    sidecar.stdin.end();
  }
}

let buffer = Buffer.alloc(0);
sidecar.stdout.on("data", (chunk) => {
  buffer = Buffer.concat([buffer, chunk]);
  for (;;) {
    const head = buffer.indexOf("\r\n\r\n");
    if (head < 0) return;
    const length = Number(/content-length: *(\d+)/i.exec(buffer.toString("latin1", 0, head))[1]);
    const end = head + 4 + length;
    if (buffer.length < end) return;
    receive(JSON.parse(buffer.toString("utf8", head + 4, end)));
    buffer = buffer.subarray(end);
  }
});

process.on("SIGINT", () => send({ method: "$/cancelRequest", params: { id: 2 } }));

send({ id: 1, method: "initialize", params: { processId: process.pid, capabilities: {} } });
send({ method: "initialized", params: {} });
const prompt = process.argv.slice(2).join(" ") || "Say hello.";
send({ id: 2, method: "ai/stream", params: { prompt, partialResultToken: "answer" } });

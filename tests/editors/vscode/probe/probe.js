// An extension beside ours: it asks our models through vscode.lm, and offers one of its own.
const vscode = require('vscode');

const MODEL = {
  id: 'probe-1', name: 'probe-1', family: 'probe', version: '1',
  maxInputTokens: 1000, maxOutputTokens: 1000, capabilities: { toolCalling: true },
};

exports.activate = (context) => {
  const results = vscode.Uri.joinPath(vscode.workspace.workspaceFolders[0].uri, 'probe.jsonl');
  let lines = '';
  const write = async (value) => {
    lines += `${JSON.stringify(value)}\n`;
    await vscode.workspace.fs.writeFile(results, Buffer.from(lines));
  };
  context.subscriptions.push(
    vscode.lm.registerLanguageModelChatProvider('probe', {
      provideLanguageModelChatInformation: () => [MODEL],
      provideTokenCount: async () => 1,
      provideLanguageModelChatResponse: async (_model, messages, _options, progress, token) => {
        const said = messages.map(({ content }) => content.map((part) => part.value).join('')).join('|');
        await write({ asked: said });
        progress.report(new vscode.LanguageModelTextPart('from the '));
        progress.report(new vscode.LanguageModelTextPart('editor'));
        if (said.includes('for ever')) {
          await new Promise((resolve) => token.onCancellationRequested(resolve));
          await write({ cancelled: true });
        }
      },
    }),
    vscode.commands.registerCommand('probe.ask', async () => {
      try {
        const models = await vscode.lm.selectChatModels({ vendor: 'ai-sidecar' });
        await write({ models: models.map(({ id, maxInputTokens }) => ({ id, maxInputTokens })) });
        const tools = [{ name: 'clock', description: 'tells the time', inputSchema: { type: 'object' } }];
        const messages = [vscode.LanguageModelChatMessage.User('what time is it?')];
        const answer = await models[0].sendRequest(messages, { tools, justification: 'a test' });
        const parts = [];
        for await (const part of answer.stream) {
          parts.push(part instanceof vscode.LanguageModelTextPart ? part.value : { name: part.name, input: part.input });
        }
        await write({ parts, tokens: await models[0].countTokens('one two three') });
      } catch (error) {
        await write({ error: String(error) });
      }
    }),
  );
};

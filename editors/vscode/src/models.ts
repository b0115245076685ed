// The model picker, and the model that was picked: kept for this workspace, told to every new process.

import * as vscode from 'vscode';
import { messageOf, type Sidecar } from './client.ts';
import type { Model, Provider } from './protocol.ts';
import { dollars, tokens } from './text.ts';

export interface Selected {
  provider: string;
  model: string;
}

type Item = vscode.QuickPickItem & { model?: Selected; run?: 'default' | 'key' | 'settings' };

const KEY = 'aiSidecar.selectedModel';
const REFRESH: vscode.QuickInputButton = { iconPath: new vscode.ThemeIcon('refresh'), tooltip: 'Ask the providers now' };

export class Models {
  readonly onDidChange: vscode.Event<void>;
  private readonly changed = new vscode.EventEmitter<void>();

  constructor(
    private readonly sidecar: Sidecar,
    private readonly memory: vscode.Memento,
  ) {
    this.onDidChange = this.changed.event;
    sidecar.onReady(() => void this.tellServer());
  }

  /** The name of the model that was picked, undefined while the configuration decides. */
  get current(): string | undefined {
    return this.selected?.model;
  }

  /** `aiSidecar.chooseModel`. */
  async choose(): Promise<void> {
    const picker = vscode.window.createQuickPick<Item>();
    picker.title = 'Model of ai-sidecar';
    picker.placeholder = 'Used wherever a request names no model';
    picker.matchOnDescription = true;
    picker.buttons = [REFRESH];
    const load = async (refresh: boolean): Promise<void> => {
      picker.busy = true;
      try {
        const before = picker.activeItems[0]?.model ?? this.selected;
        const items = await this.items(refresh);
        // Rows do not move under the pointer where nothing is new.
        if (JSON.stringify(items) === JSON.stringify(picker.items)) return;
        picker.keepScrollPosition = true;
        picker.items = items;
        const active = items.find(({ model }) => model !== undefined && same(model, before));
        if (active !== undefined) picker.activeItems = [active];
      } catch (error) {
        picker.hide();
        void vscode.window.showErrorMessage(`ai-sidecar: ${messageOf(error)}`);
      } finally {
        picker.busy = false;
      }
    };
    picker.onDidTriggerButton(() => void load(true));
    picker.onDidHide(() => picker.dispose());
    picker.onDidAccept(() => {
      const item = picker.selectedItems[0];
      picker.hide();
      if (item !== undefined) void this.picked(item);
    });
    picker.show();
    // What is known at once, then what the providers serve now.
    await load(false);
    await load(true);
  }

  /** What was picked. A question names it itself: it may be sent before the server was told. */
  get selected(): Selected | undefined {
    return this.memory.get<Selected>(KEY);
  }

  private async picked({ model, run }: Item): Promise<void> {
    if (run === 'key') return void vscode.commands.executeCommand('aiSidecar.setApiKey');
    if (run === 'settings') return void vscode.commands.executeCommand('aiSidecar.openSettings');
    await this.memory.update(KEY, model);
    if (model !== undefined) await this.tellServer();
    else await this.sidecar.restart(); // a process keeps what was selected until it ends
    this.changed.fire();
  }

  private async tellServer(): Promise<void> {
    const selected = this.selected;
    if (selected === undefined) return;
    try {
      await this.sidecar.command('aiSidecar.selectModel', selected);
    } catch (error) {
      this.sidecar.log.warn(`selecting ${selected.model}: ${messageOf(error)}`);
    }
  }

  private async items(refresh: boolean): Promise<Item[]> {
    const [{ providers }, { models }] = await Promise.all([
      this.sidecar.request<{ providers: Provider[] }>('ai/providers', {}),
      this.sidecar.request<{ models: Model[] }>('ai/models', { refresh }),
    ]);
    const items: Item[] = [];
    const configured = providers.filter((provider) => provider.configured);
    configured.sort((one, other) => Number(other.isDefault) - Number(one.isDefault));
    for (const { id, isDefault, configError } of configured) {
      const label = `${id}${isDefault ? ' (default)' : ''}${configError === undefined ? '' : `: ${configError}`}`;
      items.push({ label, kind: vscode.QuickPickItemKind.Separator });
      for (const model of models) if (model.provider === id) items.push(this.item(model));
    }
    items.push({ label: '', kind: vscode.QuickPickItemKind.Separator });
    if (this.selected !== undefined) items.push({ label: '$(discard) Use the default of the configuration', run: 'default' });
    items.push({ label: '$(key) Set API Key…', run: 'key' }, { label: '$(gear) Open Settings', run: 'settings' });
    return items;
  }

  private item(model: Model): Item {
    const about = [model.provider];
    if (model.contextWindow !== null) about.push(`${tokens(model.contextWindow)} window`);
    if (model.price !== undefined) {
      about.push(`${dollars(model.price.inputPerMTok)} in, ${dollars(model.price.outputPerMTok)} out per 1M`);
    }
    const selected = { provider: model.provider, model: model.id };
    const mark = same(selected, this.selected) ? '$(check) ' : '';
    return { label: `${mark}${model.id}`, description: about.join(' · '), model: selected };
  }
}

function same(one: Selected | undefined, other: Selected | undefined): boolean {
  return one?.provider === other?.provider && one?.model === other?.model;
}

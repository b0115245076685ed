"""Makes docs/pictures/vscode*.png: python -m tests.editors.vscode.pictures [FOLDER]

The real workbench, the real program, answers of a service on loopback.
"""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.contract import chat
from tests.editors.vscode.service import Service
from tests.editors.vscode.workbench import PROGRAM, ROOT, Workbench
from tests.http.server import Step

CODE = '''\
"""Prices, and what they come to."""

from decimal import Decimal


def total(prices: list[Decimal], discount: Decimal = Decimal(0)) -> Decimal:
    """Return the sum, less `discount` as a fraction, to the cent."""
    
'''
FILLING = (
    "if not 0 <= discount <= 1:\n"
    '        raise ValueError(f"a discount from 0 to 1, got {discount}")\n'
    '    return (sum(prices, Decimal(0)) * (1 - discount)).quantize(Decimal("0.01"))'
)
ANSWER = """\
`Decimal('0.00')`. `sum` begins at `Decimal(0)`, so an empty list comes to zero, and `quantize` \
gives it two places:

```python
assert total([]) == Decimal("0.00")
assert total([], discount=Decimal(1)) == 0
```

- A discount outside of 0 to 1 raises `ValueError` for an empty list, too.
- Without a start, `sum` would return the integer `0`, which has no `quantize`.
"""
MODEL, FAST = "claude-sonnet-4-5", "qwen2.5-coder"
THEME = {
    "workbench.colorTheme": "Default Dark Modern",
    "editor.fontSize": 14,
    "window.commandCenter": False,
    "workbench.layoutControl.enabled": False,
}


async def main(folder: Path) -> None:
    """Make both."""
    service = Service()
    await service.start()
    prices = {f"up/{MODEL}": {"prices": {"inputPerMTok": 3, "outputPerMTok": 15}}}
    options = {
        **service.options,
        "aiSidecar.default": f"up/{MODEL}",
        "aiSidecar.inline.model": FAST,
        "aiSidecar.models": prices,
        "aiSidecar.path": str(PROGRAM),
    }
    with tempfile.TemporaryDirectory() as place:
        it = Workbench(Path(place), {**THEME, **options}, {"shop.py": CODE})
        try:
            await it.start()
            await it.open(1100, 620)
            await show_completion(it, service, folder / "vscode.png")
            await show_answer(it, service, folder / "vscode-ask.png")
        finally:
            await it.aclose()
            await service.server.aclose()


def answered() -> list[Step]:
    """Return the answer as its model would give it."""
    used = {"prompt_tokens": 214, "completion_tokens": 131, "total_tokens": 345}
    told: dict[str, Any] = {"id": "c-1", "model": MODEL}
    said = {"index": 0, "delta": {"content": ANSWER}, "finish_reason": "stop"}
    events = [{**told, "choices": [said]}, {**told, "choices": [], "usage": used}]
    body = b"".join(chat.event(event) for event in events) + b"data: [DONE]\n\n"
    return [chat.HEAD, chat.chunk(body), chat.LAST_CHUNK]


async def show_completion(it: Workbench, service: Service, file: Path) -> None:
    service.filling = FILLING[1:]
    await it.open_file("shop.py")
    await it.page.keyboard.press("Control+B")
    await it.place(8)
    await it.type_until("i", FILLING[1:].partition("\n")[0])
    await it.page.screenshot(path=str(file))
    await it.page.keyboard.press("Tab")


async def show_answer(it: Workbench, service: Service, file: Path) -> None:
    service.chat = answered()
    await it.place(10)
    for _ in range(4):
        await it.page.keyboard.press("Shift+ArrowUp")
    await it.page.keyboard.press("Shift+Home")
    await it.command("ai-sidecar: Ask…")
    view = it.ask_view()
    await view.locator("#question").fill("What does it return for an empty list?")
    sash = it.page.locator(".split-view-view .monaco-sash.vertical, .monaco-sash.vertical").nth(1)
    box = await sash.bounding_box()
    if box is not None:
        await it.page.mouse.move(box["x"] + 2, 300)
        await it.page.mouse.down()
        await it.page.mouse.move(480, 300)
        await it.page.mouse.up()
        await it.page.mouse.move(700, 450)
    await view.locator("#question").press("Enter")
    await view.locator(".turn.done").wait_for()
    await it.page.screenshot(path=str(file))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "pictures"))

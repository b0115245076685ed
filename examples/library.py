"""The providers without an editor: one streamed answer, with routes, retries and failover.

    python examples/library.py examples/config/failover.toml "Write a haiku about editors"

`providers` is a package on its own: it knows no LSP. A manager belongs to one event loop.
"""

import asyncio
import os
import sys
import tomllib
from pathlib import Path

import msgspec

from providers.errors import ProviderError
from providers.manager import ProviderManager, Target
from providers.settings import ProvidersConfig
from providers.types import ChatRequest, Message, RetryNotice, Text, TextDelta


def load(file: str) -> ProvidersConfig:
    return msgspec.convert(tomllib.loads(Path(file).read_text("utf-8")), ProvidersConfig)


async def main(config: ProvidersConfig, prompt: str) -> int:
    manager = ProviderManager(config, environ=os.environ)
    request = ChatRequest(messages=[Message("user", [Text(prompt)])], max_tokens=500)
    try:
        run = manager.stream(request, Target())
        async for tokens in run:  # all that one read of the socket brought
            for token in tokens:
                if isinstance(token, TextDelta):
                    sys.stdout.write(token.text)
                elif isinstance(token, RetryNotice):
                    sys.stderr.write(f"[{token.provider}: {token.error.kind}, trying on]\n")
            sys.stdout.flush()
    except ProviderError as error:
        sys.stderr.write(f"{error.kind}: {error.message}\n")
        return 1
    finally:
        await manager.aclose()
    done = run.outcome
    cost = "unknown" if done.cost is None else f"{done.cost.usd:.6f} USD"
    sys.stderr.write(
        f"\n[{done.provider}/{done.model}, {done.usage.total_tokens} tokens, {cost}]\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(load(sys.argv[1]), " ".join(sys.argv[2:]) or "Say hello.")))

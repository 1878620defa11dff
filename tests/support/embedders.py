"""A model behind an address, as OpenAI and many others serve theirs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
from aiohttp import web

from hubbub.search.static import built_in


class ServedModel:
    """It knows what the hub's own does, in vectors of twice the length, and can be told to fail."""

    def __init__(self) -> None:
        self.url = ""
        self.texts: list[str] = []
        """All that it was asked to read."""
        self.keys: list[str | None] = []
        self.status = 200
        self.answer: Any = None
        """What it says in place of vectors."""
        self.open = asyncio.Event()
        self.open.set()

    async def serve(self, request: web.Request) -> web.Response:
        await self.open.wait()
        question = await request.json()
        self.keys.append(request.headers.get("Authorization"))
        if self.status != 200:
            return web.Response(status=self.status)
        if self.answer is not None:
            return web.json_response(self.answer)
        self.texts += question["input"]
        data = [
            {"index": at, "embedding": self._vector(text)}
            for at, text in enumerate(question["input"])
        ]
        return web.json_response({"model": question["model"], "data": data[::-1]})

    def _vector(self, text: str) -> list[float]:
        vector = built_in().vector(text)
        return [float(each) for each in np.concatenate([3 * vector, np.zeros(1), vector])]


@asynccontextmanager
async def served_model() -> AsyncIterator[ServedModel]:
    model = ServedModel()
    app = web.Application(client_max_size=2**26)
    app.router.add_post("/v1/embeddings", model.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None
        port = site._server.sockets[0].getsockname()[1]
        model.url = f"http://127.0.0.1:{port}/v1"
        yield model
    finally:
        model.open.set()
        await runner.cleanup()

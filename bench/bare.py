"""The reference of `bench.reads`: a FastAPI route that does one Redis GET and nothing else."""

import os

import uvicorn
from fastapi import FastAPI, Response
from redis.asyncio import Redis

app = FastAPI()
redis = Redis.from_url(os.environ["BENCH_BROKER"])


@app.get("/{key}")
async def bare(key: str) -> Response:
    return Response(await redis.get(f"bench:{key}"), media_type="application/json")


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ["BENCH_PORT"]), log_config=None, access_log=False)

"""Fetches tokens with the Python code of docs/frontends.md.

Reads one request per line, `URL ROOM BEARER RENEWED`, and writes one line: `token TOKEN` or `problem CODE`.
"""

import asyncio
import sys

import roomkey


async def answer(url, room, *bearers):
    async def access_token(renew):
        return bearers[renew]

    try:
        details = await roomkey.fetch_token(url, access_token, room_name=room)
        return f"token {details['participant_token']}"
    except roomkey.Problem as problem:
        assert 1 <= problem.retry_after <= 30, problem.retry_after
        return f"problem {problem.code}"
    except OSError:
        return "problem unavailable"


for line in sys.stdin:
    print(asyncio.run(answer(*line.split())), flush=True)

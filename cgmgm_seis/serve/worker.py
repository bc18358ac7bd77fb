"""One thread that does the heavy work of all requests, one after the other."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from cgmgm_seis.serve.limits import Limits, RequestError

Result = TypeVar("Result")


class Worker:
    """Run functions in one thread, with a limit on those that wait and on their time.

    A model is drawn by one request at a time, which bounds the memory; the requests of others
    wait while the server goes on to receive and to answer.

    Parameters
    ----------
    limits : Limits
        Seconds and number of waiting requests.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="cgmgm-seis")
        self._waiting = 0

    async def run(self, function: Callable[[], Result]) -> Result:
        """Return the result of a function.

        Raises
        ------
        RequestError
            If too many requests wait, or the result is not there in time.  A function that waits
            is then not run; one that runs is finished before the next one begins.
        """
        if self._waiting >= self._limits.waiting:
            raise RequestError(
                f"The server is busy with {self._waiting} requests; try again later.", 503
            )
        future = self._pool.submit(function)
        self._waiting += 1
        future.add_done_callback(self._done(asyncio.get_running_loop()))
        try:
            # A timeout cancels the future, which has no effect once it runs.
            return await asyncio.wait_for(asyncio.wrap_future(future), self._limits.seconds)
        except TimeoutError as error:
            raise RequestError(
                f"The request was not answered within {self._limits.seconds:g} s; ask for fewer "
                "stations, or try again later.",
                503,
            ) from error

    def _done(self, loop: asyncio.AbstractEventLoop) -> Callable[[object], None]:
        def count(_: object) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._decrease)

        return count

    def _decrease(self) -> None:
        self._waiting -= 1

    def close(self) -> None:
        """Drop the functions that wait and end the thread after the one that runs."""
        self._pool.shutdown(wait=False, cancel_futures=True)

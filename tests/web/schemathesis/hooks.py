"""What schemathesis cannot know: names that exist on the nodes under test, bodies that they accept, and how
the cluster comes back after a request that has taken it apart."""

import json
import os
import zlib

import requests
import schemathesis

URL = os.environ["CONTRACT_URL"]
SESSION = requests.Session()
SESSION.headers["Authorization"] = "Bearer " + os.environ["CONTRACT_ADMIN"]
API = URL + "/api/v1"
MODULE = os.environ["CONTRACT_MODULE"]
NODES = ["node1", "node2"]


def ask(method, path, **more):
    return SESSION.request(method, API + path, timeout=60, **more)


CLUSTER = ask("GET", "/cluster").json()["xml"]
ARCHIVE = ask("GET", f"/modules/{MODULE}/archive").content
FILES = ask("GET", f"/modules/{MODULE}/files").json()["files"]
USERCONFIG = next(f["text"] for f in FILES if f["path"] == "conf/userconfig.xml")

COMMANDS = ["start", "stop", "forcestop", "restart", "stopstart", "wait", "swap", "swap nosync", "prim",
            "prim fullsync", "second", "second fullsync", "checker on", "checker off", "failover on",
            "failover off"]
NAMES = {
    "module": [MODULE],
    "node": NODES,
    "resource": ["custom.contract", "module.state", "checker.all"],
    "name": ["start_prim", "../../conf/userconfig.xml"],
}
BODIES = {
    ("PUT", "/cluster"): [{"xml": CLUSTER}, {"xml": CLUSTER, "signature": "00", "nodes": NODES}],
    ("POST", "/cluster/check"): [{"xml": CLUSTER}, {"xml": CLUSTER.replace("node2", "node1")}],
    ("POST", "/cluster/probe"): [{"address": "10.77.1.2"}, {"address": "localhost"}],
    ("POST", "/cluster/deploy"): [{}, {"nodes": NODES}],
    ("POST", "/modules"): [{"module": MODULE + "2", "template": "generic/mirror.safe"}],
    ("POST", "/tokens"): [{"name": "t", "role": "Monitor", "days": 1}],
    ("POST", "/modules/{module}/restore"): [{"name": c["name"]} for c in ask("GET", "/configurations").json()[:1]],
    ("PUT", "/modules/{module}/files"): [{"files": FILES}, {"signature": "00", "files": FILES}],
    ("POST", "/modules/{module}/check"): [{"userconfig": USERCONFIG}, {"userconfig": USERCONFIG[:-20]}],
    ("POST", "/modules/{module}/deploy"): [{}, {"nodes": NODES}],
    ("POST", "/modules/{module}/commands"): [{"command": c} for c in COMMANDS],
    ("POST", "/modules/{module}/resources/{resource}"): [{"value": "up"}, {"value": "down"}],
    ("PUT", "/modules/{module}/archive"): [ARCHIVE, ARCHIVE[:-30], ARCHIVE[:200]],
}


def known(value, choices):
    """Every second value is one of those that the nodes know; which one depends on the value alone."""
    number = zlib.crc32(repr(value).encode(errors="surrogatepass"))
    return choices[number // 2 % len(choices)] if choices and number % 2 else value


def endpoint(operation):
    path = operation.path.removeprefix("/api/v1").removeprefix("/nodes/{node}")
    return operation.method.upper(), path


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    for name, choices in NAMES.items():
        if path_parameters and name in path_parameters:
            path_parameters[name] = known(path_parameters[name], choices)
    return path_parameters


@schemathesis.hook
def map_body(context, body):
    return known(body, BODIES.get(endpoint(context.operation)))


@schemathesis.serializer("application/zip")
def zipped(context, value):
    return value if isinstance(value, bytes) else json.dumps(value, default=str).encode()


@schemathesis.deserializer("application/zip")
def unzipped(context, response):
    if not response.content.startswith(b"PK"):
        raise ValueError("not a zip archive")
    return response.content.decode("latin-1")


def restore(method, path, node):
    """Both nodes in the cluster, the module on both, stopped."""
    at = f"/nodes/{node}/modules/{MODULE}"
    if path == "/cluster":
        ask("PUT", "/cluster", json={"xml": CLUSTER})
    elif path == "/modules/{module}/commands":
        ask("POST", at + "/commands", json={"command": "forcestop"})
    else:
        ask("PUT", at + "/archive?reinstall=true", data=ARCHIVE, headers={"Content-Type": "application/zip"})
        ask("POST", at + "/config")


ROLES = ["Nobody", "Monitor", "Control", "Admin"]


@schemathesis.check
def role_is_enough(ctx, response, case):
    """Whom the document does not allow an operation is told so, whatever he sends; whom it allows is not."""
    text = case.operation.definition.raw.get("description", "")
    needs = next((role for role in ROLES if f"Needs the role {role}." in text), "Nobody")
    has = os.environ["CONTRACT_ROLE"]
    refused = response.status_code in (401, 403)
    if ROLES.index(has) < ROLES.index(needs):
        assert refused, f"{has} does what needs {needs}: {response.status_code}"
    elif needs != "Nobody" and endpoint(case.operation) != ("POST", "/tokens"):
        # A token makes no tokens, whatever its role.
        assert not refused, f"{has} may not do what needs {needs}: {response.status_code}"


@schemathesis.check
def no_fault(ctx, response, case):
    """No 5xx, but for a 503 that says when to try again: something else is under way on the node."""
    later = response.status_code == 503 and "retry-after" in response.headers
    assert response.status_code < 500 or later, f"{response.status_code}: {response.text}"


# What takes something away that the next requests want to meet.
TAKES = [("DELETE", "/cluster"), ("PUT", "/cluster"), ("DELETE", "/modules/{module}"),
         ("DELETE", "/modules/{module}/config"), ("POST", "/modules/{module}/commands"),
         ("PUT", "/modules/{module}/files")]


@schemathesis.hook
def after_call(context, case, response):
    if response.status_code < 300 and endpoint(case.operation) in TAKES:
        restore(*endpoint(case.operation), case.path_parameters.get("node", NODES[0]))

"""schemathesis against a running Florin, signed in as its demo: whatever fits the schema, or nearly, is answered without a 5xx.

It lives in an environment of its own, made on first use: what it needs is none of ours.
"""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

VERSION = "4.32.5"
CASES = 2_000
DEMO = {"email": "demo@example.com", "password": "florin-demo-2026"}
SIGN_IN = "mutation($input: SignInInput!) { signIn(input: $input) { session { accessToken } errors { code } } }"
FIELDS = "{ __schema { queryType { fields { name } } mutationType { fields { name } } } }"
#: What would sign the demo out, or take the account away, ends the rest.
ENDING = ("Mutation.signOut",)
FOLDER = Path(__file__).parent
BUILD = FOLDER / "build"
VENV = BUILD / "schemathesis"


def main(url: str) -> int:
    """The exit code. The seed is in the output: `ARGS=fuzzing SCHEMATHESIS_SEED=...` repeats it."""
    schemathesis = _installed()
    roots = _asked(url, FIELDS)["__schema"]
    operations = sum(not field["name"].startswith("_") for root in roots.values() for field in root["fields"]) - len(ENDING)
    token = _asked(url, SIGN_IN, input=DEMO)["signIn"]["session"]["accessToken"]
    command = [schemathesis, "run", f"{url}/graphql", "--header", f"Authorization: Bearer {token}", "--no-color"]
    command += ["--checks", "not_a_server_error", "--max-examples", str(-(-CASES // operations)), "--continue-on-failure"]
    for name in ENDING:
        command += ["--exclude-name", name]
    if seed := os.environ.get("SCHEMATHESIS_SEED"):
        command += ["--seed", seed]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(FOLDER)}
    return subprocess.run(command, env=environment, cwd=BUILD, check=False).returncode


def _asked(url: str, query: str, **variables: Any) -> Any:
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"{url}/graphql", data=body, headers={"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        answer = json.load(response)
    if "errors" in answer:
        sys.exit(f"The fuzzing cannot begin: {answer['errors'][0]['message']}")
    return answer["data"]


def _installed() -> str:
    stamp = VENV / f".{VERSION}"
    if not stamp.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
        subprocess.run([VENV / "bin" / "python", "-m", "pip", "install", "--quiet", f"schemathesis=={VERSION}"], check=True)
        stamp.touch()
    return str(VENV / "bin" / "schemathesis")

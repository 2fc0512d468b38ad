"""A package to hold ours against: Django, REST framework, Zappa and one view, made as ours is."""

import json
import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from benchmarks.figures import BUILD as BENCH
from deploy.environment import compile_for_lambda, let_zappa_find_packages, python_of, runtime_environment
from deploy.settings_files import SETTINGS
from deploy.target import Target, read_settings, whole_stage
from deploy.zip_file import write_reproducibly

BUILD = BENCH / "bare"
PROJECT = Path(__file__).parent / "bare"
HANDLER = "handler.lambda_handler"
"""Zappa's own."""
OURS = {"aws_environment_variables", "callbacks", "lambda_handler", "prebuild_script"}


def make_bare_package(*, target: Target) -> Path:
    """The zip's path. Nothing is made when the one that is there is of these very sources and settings."""
    stage = whole_stage(read_settings(SETTINGS), "production")
    bare = {name: value for name, value in stage.items() if name not in OURS} | {
        "django_settings": "customers.settings"
    }
    environment = runtime_environment(target=target, runtime="bare", build=BUILD)
    made_of = sha256((environment / "made-of").read_bytes() + json.dumps(bare).encode())
    for path in sorted(PROJECT.rglob("*.py")):
        made_of.update(path.read_bytes())
    zip_path, stamp = BUILD / "bare.zip", BUILD / "bare.made-of"
    if zip_path.is_file() and stamp.is_file() and stamp.read_text() == made_of.hexdigest():
        return zip_path
    source = BUILD / "source"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(PROJECT, source, ignore=shutil.ignore_patterns("__pycache__"))
    compile_for_lambda(source, python=python_of(environment))
    let_zappa_find_packages(environment)
    settings = BUILD / "zappa_settings.json"
    stage = whole_stage(read_settings(SETTINGS), "production")
    bare = {name: value for name, value in stage.items() if name not in OURS} | {
        "django_settings": "customers.settings"
    }
    settings.write_text(json.dumps({"bare": bare}), encoding="utf-8")
    zip_path.unlink(missing_ok=True)
    subprocess.run(
        [
            *(sys.executable, "-W", "ignore", "-m", "zappa.cli", "package", "bare"),
            *("--output", str(zip_path), "--settings_file", str(settings), "--disable_progress"),
        ],
        cwd=source,
        env={"AWS_DEFAULT_REGION": "us-east-1", **os.environ, "VIRTUAL_ENV": str(environment)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=True,
    )
    write_reproducibly(zip_path)
    stamp.write_text(made_of.hexdigest())
    return zip_path

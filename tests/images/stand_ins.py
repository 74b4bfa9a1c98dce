"""Stand-ins for the images that the project does not make, under the names and tags that its files ask for.

In: the base image, the parts that `deploy/local` fetches. Out: images in the engine.
Never: a claim that they are the real ones: docs/images-test.md says of each what it is.
"""

import re
from pathlib import Path
from typing import Any

import yaml

from deploy.local.parts import KAFKA_POM, fetched_postgres, kafka_jars
from deploy.local.places import ROOT
from tests.images.base import context
from tests.images.engine import Engine
from tests.images.machine import COMPOSE_FILE
from tests.images.steps import step

HERE = Path(__file__).parent / "stand-ins"
RECEIVER = "alliance-images/receiver"
BARE = "alliance-images/bare"


def services() -> dict[str, dict[str, Any]]:
    """The services of the compose file."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE_FILE.read_text())["services"]
    return found


def python_image() -> str:
    """What the project's image is made from."""
    (name,) = set(re.findall(r"^FROM (\S+)", (ROOT / "deploy" / "Dockerfile").read_text(), re.MULTILINE))
    return str(name)


def foreign_images() -> dict[str, str]:
    """Service -> image, of the services whose image is not built here."""
    return {name: service["image"] for name, service in services().items() if "build" not in service}


def beside(name: str) -> dict[str, Path]:
    """What a stand-in is made of, besides its own folder."""
    if name == "kafka":
        return {"libs": kafka_jars(), "log4j2.properties": KAFKA_POM.parent / "log4j2.properties"}
    return {"server": fetched_postgres().parent} if name == "postgres" else {}


def build_stand_ins(engine: Engine) -> None:
    """All of them; the first two are what others are made from."""
    images = {"python": python_image(), **foreign_images(), "receiver": RECEIVER}
    for name, tag in images.items():
        with step(f"stand-in for {tag}"):
            engine.build(tag, context(engine, HERE / name, **beside(name)))


def build_bare(engine: Engine) -> None:
    """A machine with Python, make and git, and nothing else."""
    engine.build(BARE, context(engine, HERE / "bare"))

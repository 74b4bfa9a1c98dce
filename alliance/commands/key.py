"""`alliance key NAME`.

In: the name of a sender. Out: a new API key, shown once, and its line for the file of keys.
Never: show a key whose line could not be written.
"""

import sys

import click

from alliance.commands.context import OperatorError


@click.command()
@click.argument("name")
def key(name: str) -> None:
    """Make an API key for the gateway."""
    from pipeline.ingest.files.report import discard_output
    from pipeline.ingest.gateway.api_keys import KeysError, make_key

    try:
        secret, line = make_key(name)
    except KeysError as error:
        raise OperatorError(str(error)) from None
    try:
        click.echo(line)
    except OSError as error:
        discard_output(sys.stdout)
        raise OperatorError(
            f"The line cannot be written ({error.strerror}), so the key is not shown. Make another one."
        ) from None
    click.echo(f"key (give it to the sender, it is not shown again): {secret}", err=True)

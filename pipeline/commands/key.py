"""`alliance key NAME`.

In: the name of a sender. Out: a new API key (shown once) and the line to put into the file of keys.
"""

import click

from pipeline.commands.setup import Mendable


@click.command()
@click.argument("name")
def key(name: str) -> None:
    """Make an API key for the gateway."""
    from pipeline.doors.keys import KeysError, make_key

    try:
        secret, line = make_key(name)
    except KeysError as error:
        raise Mendable(str(error)) from None
    click.echo(f"key (give it to the sender, it is not shown again): {secret}", err=True)
    click.echo(line)

"""`alliance key NAME`.

In: the name of a sender. Out: a new API key (shown once) and the line to put into the file of keys.
"""

import click


@click.command()
@click.argument("name")
def key(name: str) -> None:
    """Make an API key for the gateway."""
    from pipeline.doors.keys import make_key

    secret, line = make_key(name)
    click.echo(f"key (give it to the sender, it is not shown again): {secret}", err=True)
    click.echo(line)

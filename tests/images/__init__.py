"""`make test-images`: the image, the compose file and the README's two commands, in containers of a Docker engine of
its own. Minutes, not seconds, and not part of `make test`; docs/images-test.md says what it proves and what it cannot.
"""

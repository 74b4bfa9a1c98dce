"""The rules of docs/rules.md, built a second time: slow, plain, and knowing nothing of the pipeline."""

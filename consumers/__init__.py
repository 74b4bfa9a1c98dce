"""Results of the pipeline for the outside world: `store` (SQL), `exporter` (Prometheus), `notifier` (Alertmanager).

In: topics in Kafka. Out: SQL rows, Prometheus series, alerts.
Never: know how the stream processor works, or write to a topic.

The files beside these three folders are what they share: `loop` for a consumer that keeps its own position,
`topic_reader` for one that reads everything again at each start.
"""

"""What every process needs: settings, health, HTTP, metrics, Kafka clients and topics.

In: an environment. Out: settings, endpoints and clients.
Never: import Faust, or decide anything about an event.
"""

"""What tests stand on: waiting with a deadline, child processes, a real Kafka, a real PostgreSQL."""

"""History beside workers on Kafka: what is asked of them and of the brokers, over the network."""

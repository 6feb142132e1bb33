"""A real Kafka without Docker: Apache's own release from Maven Central, run by Java 17."""

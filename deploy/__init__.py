"""What starts Waymark elsewhere: images, manifests, brokers, and parts side by side."""

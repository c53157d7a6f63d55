# For `ringway locator`, and for backends that watch the ring through Consul: reads only.
service "ringway-node" { policy = "read" }
service "consul" { policy = "read" }
node_prefix "" { policy = "read" }

# For `ringway node`: registers itself, and watches the others.
service "ringway-node" { policy = "write" }
# Lets a watcher tell "no nodes" from "not allowed to see any".
service "consul" { policy = "read" }
node_prefix "" { policy = "read" }

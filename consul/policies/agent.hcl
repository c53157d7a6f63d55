# For the agents themselves (`consul acl set-agent-token agent …`): they write their own node and sync its services.
node_prefix "" { policy = "write" }
service_prefix "" { policy = "read" }

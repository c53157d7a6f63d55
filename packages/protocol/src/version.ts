/** The protocol versions that this build speaks, both ends included. Nodes of version N and N-1 work together. */
export const PROTOCOL = /* @__PURE__ */ Object.freeze({ min: 1, max: 1 });

/** WebSocket subprotocol of version 1. A client that offers none is served as if it had offered this one. */
export const SUBPROTOCOL = 'ringway.v1';

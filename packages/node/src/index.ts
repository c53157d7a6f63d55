export { createNode, type MembershipHooks, type Node, type NodeOptions } from './node.ts';
export { type NodeSettings, nodeSettings } from './settings.ts';

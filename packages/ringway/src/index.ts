export { commandNames, run } from './cli.ts';
export type { Terminal } from './command.ts';

#!/usr/bin/env node
import { nodeVersionProblem } from './node-version.ts';

const problem = nodeVersionProblem(process.version);
if (problem === undefined) {
  // behind the check: an older Node.js fails on what this loads, with a stack trace
  const { run } = await import('./cli.ts');
  process.exitCode = await run(process.argv.slice(2), {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    env: process.env,
  });
} else {
  process.stderr.write(`${problem}\n`);
  process.exitCode = 2;
}

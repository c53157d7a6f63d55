// Loaded before anything else, on any Node.js: what is used here must exist in old ones.

const LEAST = [22, 18] as const;

/** What is wrong with a version of Node.js, as `process.version` has it; undefined when Ringway runs on it. */
export function nodeVersionProblem(version: string): string | undefined {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  const enough = major > LEAST[0] || (major === LEAST[0] && minor >= LEAST[1]);
  return enough ? undefined : `ringway needs Node.js ${LEAST.join('.')} or later; this is ${version}`;
}

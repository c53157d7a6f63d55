/** One bad setting. `given` is left out for secrets, which are never printed. */
export interface SettingProblem {
  /** Name of the environment variable. */
  readonly name: string;
  readonly given?: string;
  /** What would have been right, as a phrase: "an integer from 1 to 65535". */
  readonly expected: string;
}

function line({ name, given, expected }: SettingProblem): string {
  const unknown = /^no such setting(.*)$/.exec(expected);
  if (unknown !== null) return `${name}: unknown setting${unknown[1]}`;
  const required = /^(.*) \(it is required\)$/s.exec(expected);
  if (required !== null) return `${name}: missing; expected ${required[1]}`;
  return given === undefined
    ? `${name}: expected ${expected}`
    : `${name}=${JSON.stringify(given)}: expected ${expected}`;
}

/** The environment has bad settings; `problems` lists all of them, not only the first. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
  readonly code = 'RINGWAY_BAD_SETTINGS';
  readonly problems: readonly SettingProblem[];

  constructor(problems: readonly SettingProblem[], options?: ErrorOptions) {
    super(
      problems.length === 1
        ? `bad setting: ${line(problems[0] as SettingProblem)}`
        : `${problems.length} bad settings:\n${problems.map((p) => `  ${line(p)}`).join('\n')}`,
      options,
    );
    this.problems = Object.freeze([...problems]);
  }
}

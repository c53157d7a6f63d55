type LogLine = (fields: Readonly<Record<string, unknown>>, message: string) => void;

/** The narrow logger that membership needs; a pino logger fits. `fields` are flat and never hold secrets. */
export interface MembershipLog {
  readonly info: LogLine;
  readonly warn: LogLine;
  readonly error: LogLine;
}

/** Says nothing. The default. */
export const SILENT: MembershipLog = Object.freeze({ info() {}, warn() {}, error() {} });

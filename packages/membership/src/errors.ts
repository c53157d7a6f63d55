/** A member that cannot be registered as it is. `problem` names the field and what was expected. */
export class InvalidMemberError extends Error {
  override readonly name = 'InvalidMemberError';
  readonly code = 'invalid_member';
  readonly problem: string;

  constructor(problem: string) {
    super(`invalid member: ${problem}`);
    this.problem = problem;
  }
}

/** An option that cannot be used. `option` is its name. */
export class InvalidOptionError extends Error {
  override readonly name = 'InvalidOptionError';
  readonly code = 'invalid_option';
  readonly option: string;

  constructor(option: string, expected: string) {
    super(`invalid option ${option}: expected ${expected}`);
    this.option = option;
  }
}

/** The handle or the watch was closed before what was asked for could be done. */
export class MembershipClosedError extends Error {
  override readonly name = 'MembershipClosedError';
  readonly code = 'membership_closed';

  constructor() {
    super('the membership was closed');
  }
}

/** The registry did not answer, or refused. `status` is its HTTP status; undefined when there was no answer. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError';
  readonly code = 'registry_error';
  readonly operation: string;
  readonly status: number | undefined;

  constructor(operation: string, detail: { status?: number; cause?: unknown; message?: string } = {}) {
    const why = detail.message ?? (detail.status === undefined ? 'no answer' : `status ${detail.status}`);
    super(`registry: ${operation}: ${why}`, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.operation = operation;
    this.status = detail.status;
  }
}

/** The registry answers, but as if there were nothing at all: the token has no right to read. */
export class RegistryUnauthorisedError extends Error {
  override readonly name = 'RegistryUnauthorisedError';
  readonly code = 'registry_unauthorised';
  readonly service: string;

  constructor(service: string) {
    super(`the registry shows neither ${service} nor its own servers: the token may not read`);
    this.service = service;
  }
}

import { type Address, formatAddress } from './setting.ts';

const MEANS: ReadonlyMap<string, string> = new Map([
  ['EADDRINUSE', 'another process listens there'],
  ['EADDRNOTAVAIL', 'this machine has no such address'],
  ['EACCES', 'it is not allowed to'],
]);

/** A listener could not be opened: the message names its address and setting, and is all that is to be said. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
  readonly code: string;

  constructor(setting: string, address: Address, code: string, options?: ErrorOptions) {
    super(`cannot listen on ${formatAddress(address)} (${setting}): ${MEANS.get(code) ?? code}`, options);
    this.code = code;
  }
}

/** Waits for a listener to open, and makes a {@link ListenError} of what the operating system has against it. */
export async function listening<T>(setting: string, address: Address, opening: Promise<T>): Promise<T> {
  try {
    return await opening;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === undefined || (cause as NodeJS.ErrnoException).syscall === undefined) throw cause;
    throw new ListenError(setting, address, code, { cause });
  }
}

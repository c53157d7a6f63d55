/** Bytes of a name at the head of a frame of the plain peers, padded by spaces. */
export const NAME_BYTES = 16;

/** The user that a client says it is, in the URL of its upgrade. */
export function userOf(url: string | undefined): string {
  return new URLSearchParams(url?.split('?')[1]).get('user') ?? '';
}

/** Sockets by the group that their clients are in, as the URL of the upgrade says; none is ever taken out. */
export class Groups<Socket> {
  readonly #members = new Map<string, Socket[]>();

  add(url: string | undefined, socket: Socket): void {
    const group = new URLSearchParams(url?.split('?')[1]).get('group');
    if (group === null) return;
    const members = this.#members.get(group) ?? [];
    members.push(socket);
    this.#members.set(group, members);
  }

  of(group: string): readonly Socket[] | undefined {
    return this.#members.get(group);
  }
}

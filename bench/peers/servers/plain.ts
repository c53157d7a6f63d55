/** Bytes of a name at the head of a frame of the plain peers, padded by spaces. */
export const NAME_BYTES = 16;

/** The user that a client says it is, in the URL of its upgrade. */
export function userOf(url: string | undefined): string {
  return new URLSearchParams(url?.split('?')[1]).get('user') ?? '';
}

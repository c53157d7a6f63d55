import { locatorSource, RingwayPush } from '@ringway/push';
import { SignJWT } from 'jose';

/** Where the cluster is, and by which keys. */
export interface SchoolOptions {
  /** Internal listener of a locator. */
  readonly locator: string;
  readonly clusterKeys: string;
  /** Secret by which users' tokens are signed. */
  readonly authKey: Uint8Array;
}

/** The school's backend: it knows who is in which class, and who may do what. */
export class School implements AsyncDisposable {
  readonly #ringway: RingwayPush;
  readonly #authKey: Uint8Array;

  constructor({ locator, clusterKeys, authKey }: SchoolOptions) {
    this.#ringway = new RingwayPush({
      name: 'school',
      source: locatorSource({ urls: [locator] }),
      clusterKeys,
    });
    this.#authKey = authKey;
  }

  /** Puts someone into a class: the sessions that stand hear it from now on, those to come from their beginning. */
  async enrol(name: string, person: string): Promise<void> {
    await this.#ringway.addToGroup(name, person);
  }

  async expel(name: string, person: string): Promise<void> {
    await this.#ringway.removeFromGroup(name, person);
  }

  /** A teacher speaks to the class and to each of its students. */
  teacherToken(teacher: string, name: string): Promise<string> {
    return this.#token(teacher, [`group:${name}`, 'user:*']);
  }

  /** A student answers the teacher. Neither joins anything: who is in a class is the school's to say. */
  studentToken(student: string, teacher: string): Promise<string> {
    return this.#token(student, [`user:${teacher}`]);
  }

  #token(user: string, publish: readonly string[]): Promise<string> {
    return new SignJWT({ cap: { publish } })
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
      .setSubject(user)
      .setExpirationTime('10m')
      .sign(this.#authKey);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#ringway.close();
  }
}

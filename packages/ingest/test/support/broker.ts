/** An event on its way into a queue. */
export interface Sent {
  /** Events of one key keep their order. */
  readonly key: string;
  readonly body: string | Buffer;
}

/** What was set aside. */
export interface Dead {
  readonly reason: string;
  readonly body: string;
}

/** A real broker, as producers and operators see it. */
export interface TestBroker extends AsyncDisposable {
  /** Settings by which an ingest reads the queue. */
  env(queue: string): Readonly<Record<string, string>>;
  create(queue: string): Promise<void>;
  /** Puts them into the queue, one after the other. Resolves when the broker has them. */
  send(queue: string, events: readonly Sent[]): Promise<void>;
  /** What was set aside, oldest first. */
  dead(queue: string): Promise<Dead[]>;
  /** How many messages the queue still has for its readers: unread, or not acknowledged. */
  waiting(queue: string): Promise<number>;
  /** Cuts the way between the ingest and the broker. */
  cut(): void;
  heal(): void;
  /** Whether what was under way at the cut is certainly lost: with the mock of Kafka it may come late. */
  readonly cutsClean: boolean;
  /** The broker goes and comes again, with what it kept. */
  restart(): Promise<void>;
}

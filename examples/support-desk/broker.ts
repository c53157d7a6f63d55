import { spawn } from 'node:child_process';

/** Something that speaks Kafka's protocol. */
export interface Broker extends Disposable {
  readonly address: string;
}

/** librdkafka's mock broker, which kcat brings along: it keeps all in memory. For a try without a Kafka of one's own. */
export async function mockBroker(): Promise<Broker> {
  const kcat = spawn('kcat', [
    ...['-b', 'x', '-X', 'test.mock.num.brokers=1', '-d', 'mock', '-C', '-t', 'keep'],
  ]);
  process.once('exit', () => kcat.kill());
  const address = await new Promise<string>((resolve, reject) => {
    let said = '';
    kcat.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = `${said}${text}`.slice(-10_000);
      const [, found] = /bootstrap\.servers=(127\.0\.0\.1:\d+)/.exec(said) ?? [];
      if (found !== undefined) resolve(found);
    });
    const failed = (why: string) =>
      reject(new Error(`no broker: ${why}; see README.md, "With your own Kafka"`));
    kcat.once('error', ({ message }) => failed(message));
    kcat.once('exit', (code) => failed(`kcat ended with ${code}: ${said}`));
  });
  return { address, [Symbol.dispose]: () => void kcat.kill() };
}

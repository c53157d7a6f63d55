import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { freePorts } from './ports.ts';
import { launch, type RunningProcess } from './process.ts';

const JARS = resolve(import.meta.dirname, '../../../.tools/kafka');
const START_MS = 60_000;

/** Whether Kafka itself is here, or librdkafka's mock broker must do. `RINGWAY_TEST_KAFKA=mock` decides for the latter. */
export function hasKafka(): boolean {
  if (process.env['RINGWAY_TEST_KAFKA'] === 'mock') return false;
  const java = (process.env['PATH'] ?? '')
    .split(delimiter)
    .some((folder) => existsSync(join(folder, 'java')));
  return java && existsSync(JARS);
}

/** A broker of Kafka's protocol on free ports of 127.0.0.1. */
export interface KafkaBroker extends AsyncDisposable {
  /** `127.0.0.1:PORT`, as clients are told. */
  readonly address: string;
  /** It keeps everything over a restart. */
  readonly durable: boolean;
  readonly process: RunningProcess;
  /** SIGKILL, then the same again on the same port, with what it kept. Only where it is durable. */
  restart(): Promise<void>;
  freeze(): void;
  thaw(): void;
}

/** Where Kafka listens; the mock of it chooses for itself. */
export interface KafkaOptions {
  /** A free one by default. */
  readonly port?: number;
  /** Where it tells clients to connect, such as to a proxy; its own port by default. */
  readonly advertisedPort?: number;
  /** More than one, 1 by default, are always the mock's. */
  readonly brokers?: number;
}

/** Kafka in KRaft mode, broker and controller in one process; the mock broker of `kcat` where Kafka is not installed. */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaBroker> {
  const { brokers = 1 } = options;
  const broker = hasKafka() && brokers === 1 ? await RealKafka.make(options) : new MockKafka(brokers);
  try {
    await broker.start();
  } catch (error) {
    await broker[Symbol.asyncDispose]();
    throw error;
  }
  return broker;
}

abstract class BrokerProcess implements KafkaBroker {
  abstract readonly address: string;
  abstract readonly durable: boolean;
  protected running: RunningProcess | undefined;

  abstract start(): Promise<void>;

  get process(): RunningProcess {
    if (this.running === undefined) throw new Error('kafka was never started');
    return this.running;
  }

  async restart(): Promise<void> {
    if (!this.durable) throw new Error('this broker keeps nothing over a restart');
    await this.process.kill();
    await this.start();
  }

  freeze(): void {
    this.process.freeze();
  }

  thaw(): void {
    this.process.thaw();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.running?.kill();
  }
}

class RealKafka extends BrokerProcess {
  readonly address: string;
  readonly durable = true;
  readonly #folder: string;

  private constructor(address: string, folder: string) {
    super();
    this.address = address;
    this.#folder = folder;
  }

  static async make(options: KafkaOptions): Promise<RealKafka> {
    const [free, controller] = await freePorts(2);
    const { port = free, advertisedPort = port } = options;
    const folder = await mkdtemp(join(tmpdir(), 'ringway-kafka-'));
    const data = join(folder, 'data');
    await mkdir(data);
    // what kafka-storage would write, without another Java for it
    await writeFile(
      join(data, 'meta.properties'),
      'version=1\ncluster.id=cmluZ3dheS10ZXN0LWthZg\nnode.id=1\ndirectory.id=cmluZ3dheS10ZXN0LWRpcg\n',
    );
    const properties = {
      'process.roles': 'broker,controller',
      'node.id': 1,
      'controller.quorum.voters': `1@127.0.0.1:${controller}`,
      listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller}`,
      'advertised.listeners': `PLAINTEXT://127.0.0.1:${advertisedPort}`,
      'controller.listener.names': 'CONTROLLER',
      'log.dirs': data,
      'num.partitions': 2,
      'num.network.threads': 2,
      'num.io.threads': 2,
      'offsets.topic.num.partitions': 1,
      'offsets.topic.replication.factor': 1,
      'transaction.state.log.replication.factor': 1,
      'transaction.state.log.min.isr': 1,
      // a broker that was killed comes back once its earlier start counts as gone
      'broker.session.timeout.ms': 2_000,
      'broker.heartbeat.interval.ms': 300,
      'group.initial.rebalance.delay.ms': 0,
      'group.min.session.timeout.ms': 500,
    };
    await writeFile(
      join(folder, 'server.properties'),
      Object.entries(properties)
        .map(([name, value]) => `${name}=${value}\n`)
        .join(''),
    );
    return new RealKafka(`127.0.0.1:${advertisedPort}`, folder);
  }

  async start(): Promise<void> {
    this.running = await launch({
      command: 'java',
      args: [
        ...['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'],
        ...['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'],
        ...['-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info'],
        ...['-cp', join(JARS, '*'), 'kafka.Kafka', join(this.#folder, 'server.properties')],
      ],
      cwd: this.#folder,
      name: `kafka ${this.address}`,
    });
    await this.running.waitForOutput(/Kafka Server started/, START_MS);
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

class MockKafka extends BrokerProcess {
  address = '';
  readonly durable = false;
  private readonly brokers: number;

  constructor(brokers: number) {
    super();
    this.brokers = brokers;
  }

  async start(): Promise<void> {
    this.running = await launch({
      command: 'kcat',
      args: ['-b', 'x', '-X', `test.mock.num.brokers=${this.brokers}`, '-d', 'mock', '-C', '-t', 'keep'],
      name: 'kcat',
    });
    const [, address = ''] = await this.running.waitForOutput(/bootstrap\.servers=(127\.0\.0\.1:\d+)/);
    this.address = address;
  }
}

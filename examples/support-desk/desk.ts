// A morning at the support desk: the shop writes events of tickets into Kafka, `ringway ingest` carries them to the
// agents. With KAFKA_BROKERS it uses your Kafka, and else one that lives as long as the morning.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { Agent } from './agent.ts';
import { mockBroker } from './broker.ts';
import { TicketTopic } from './tickets.ts';

const TOPIC = process.env['KAFKA_TOPIC'] ?? 'tickets';
const locator = process.env['LOCATOR_URL'] ?? 'http://127.0.0.1:8080';

// whatever ends this, nothing stays behind
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

const given = process.env['KAFKA_BROKERS'];
using mock = given === undefined ? await mockBroker() : undefined;
const brokers = given ?? mock?.address ?? '';
await using tickets = await TicketTopic.open(TOPIC, brokers.split(','));
await using anna = await Agent.onDuty('anna', locator);
await using ben = await Agent.onDuty('ben', locator);

const ingest = spawn(process.env['RINGWAY'] ?? 'ringway', ['ingest'], {
  stdio: 'inherit',
  env: {
    ...process.env, // RINGWAY_CLUSTER_KEYS and RINGWAY_INGEST_LOCATORS, where to publish
    RINGWAY_INGEST_SOURCE: 'kafka',
    RINGWAY_INGEST_KAFKA_BROKERS: brokers,
    RINGWAY_INGEST_QUEUE: TOPIC,
    RINGWAY_INGEST_MAPPING: join(import.meta.dirname, 'mapping.json'),
    RINGWAY_INGEST_NAME: 'desk',
    RINGWAY_INTERNAL_LISTEN: '127.0.0.1:0',
    RINGWAY_LOG_LEVEL: 'warn',
  },
});
process.once('exit', () => ingest.kill('SIGTERM'));
const ended = new Promise<void>((resolve, reject) => {
  ingest.once('error', reject);
  ingest.once('exit', (code) =>
    code === 0 ? resolve() : reject(new Error(`ringway ingest ended with ${code}`)),
  );
});
ended.catch(() => {}); // told below, where it is waited for

const closed = { id: '7-3', ticket: 7, text: 'closed' };
await tickets.write({ id: '7-1', ticket: 7, text: 'opened: my parcel is late' });
await tickets.write({ id: '8-1', ticket: 8, text: 'opened: the wrong size' });
await tickets.writeText('8', 'no event at all'); // set aside with the reason, and the rest goes on
await tickets.write({ id: '7-2', ticket: 7, text: 'answered: it comes tomorrow' });
await tickets.write({ id: '8-2', ticket: 8, text: 'answered: we exchange it' });
await tickets.write(closed);
await tickets.write(closed); // the shop was not sure that it had written it: the agents hear it once
await tickets.write({ id: '8-3', ticket: 8, text: 'closed' });

const all = Promise.all([anna.heard(6), ben.heard(6)]);
await Promise.race([all, ended]);
ingest.kill('SIGTERM');
await ended;

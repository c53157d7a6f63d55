import { launch, startRedis, waitFor } from '@ringway/testkit';
import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { trafficOf } from '../support/traffic.ts';

/** Listens, says where, and answers three bytes for each that comes; or connects to a port and sends so many. */
const LISTEN =
  "require('net').createServer(s=>s.on('data',d=>s.write('x'.repeat(3*d.length)))).listen(0,'127.0.0.1',function(){console.log('port',this.address().port)})";
const SEND =
  "let n=0;require('net').connect(+process.argv[1],'127.0.0.1',function(){this.write('x'.repeat(+process.argv[2]))}).on('data',d=>{n+=d.length;if(n===3*process.argv[2])console.log('done')})";

const node = (name: string, code: string, ...args: string[]) =>
  launch({ command: process.execPath, args: ['-e', code, '--', ...args], name });

it('counts what two of the processes send each other, either way, and nobody else’s', async () => {
  await using listener = await node('listener', LISTEN);
  const [, port = ''] = await listener.waitForOutput(/port (\d+)/);
  await using inside = await node('inside', SEND, port, '1000');
  await using outside = await node('outside', SEND, port, '50');
  await Promise.all([inside, outside].map((each) => each.waitForOutput(/done/)));
  const holders = [listener.pid, inside.pid];
  expect(await trafficOf({ holders })).toEqual({ between: 4000, redis: 0 });
});

it('counts what goes into Redis and out of it', async () => {
  await using server = await startRedis();
  const redis = new Redis(server.url);
  const ask = () => trafficOf({ holders: [], redis });
  const before = await ask();
  await redis.set('key', 'x'.repeat(10_000));
  await redis.get('key');
  await waitFor(async () => (await ask()).redis - before.redis > 20_000, { message: 'both to be counted' });
  expect((await ask()).redis - before.redis).toBeLessThan(80_000);
  redis.disconnect();
});

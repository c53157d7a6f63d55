import type { Member } from '@ringway/membership';
import { movedRanges, type Ring } from '@ringway/ring';
import { readAuthorities } from '@ringway/service';
import { refuse } from '../http/refuse.ts';
import { redisAddressFrom } from '../log/open-log.ts';
import type { NodeSettings } from '../settings.ts';
import { BroadcastRedis } from './bus/broadcast-redis.ts';
import { BusMetrics } from './bus/bus-metrics.ts';
import { BusPlaces } from './bus/bus-places.ts';
import { BusRouter } from './bus/bus-router.ts';
import { DirectoryRedis } from './bus/directory-redis.ts';
import type { OpenedRouter, RouterContext } from './open-router.ts';

/** The routers that send through Redis: no links to peers, and nobody is home of anything. @throws SettingsError */
export function openBusRouter(
  settings: NodeSettings,
  scheme: 'directory' | 'broadcast',
  context: RouterContext,
): OpenedRouter {
  const { nodeId, cluster, directoryTtl, directoryQueue } = settings;
  const { incarnation, log, watcher, logger, random, now } = context;
  const metrics = new BusMetrics();
  const redis = {
    address: redisAddressFrom(settings.redisUrl, `RINGWAY_ROUTER is ${scheme}`),
    timeoutMs: settings.logTimeout,
    name: `${cluster}:${nodeId}`,
    ca: settings.redisCa && readAuthorities('RINGWAY_REDIS_CA', settings.redisCa),
    cluster,
    nodeId,
    incarnation,
    logger,
    hooks: metrics,
    random,
    now,
  };
  const bus =
    scheme === 'directory'
      ? new DirectoryRedis({ ...redis, ttlMs: directoryTtl, queueLength: directoryQueue })
      : new BroadcastRedis(redis);
  const router = new BusRouter({
    bus,
    log: log.shared ? log : undefined,
    incarnation,
    patienceMs: settings.homeTimeout,
    maxWaitingBytes: settings.peerWaitingBytes,
    now,
  });
  let ring: Ring<Member> = watcher.current;
  const opened: OpenedRouter = {
    router,
    presence: undefined,
    places: new BusPlaces(nodeId, () => ring),
    get counts() {
      const { received, dropped } = router;
      const { repeats } = router.counts;
      const none = { guests: 0, standbys: 0, mismatches: 0, stops: 0, peers: { open: 0, wanted: 0 } };
      return { ...none, relayed: received, dropped, repeats };
    },
    channelsClosed: true,
    onMoved: () => {},
    async start(local, current) {
      await router.start(local);
      ring = current();
    },
    setRing(next) {
      const before = ring;
      ring = next;
      opened.onMoved(movedRanges(before, next));
    },
    abdicate() {},
    calm() {},
    acceptPeer: (_request, socket) => refuse(socket, 404),
    register: (registry) =>
      metrics.register(registry, { connected: () => bus.connected, foreign: () => router.counts.foreign }),
  };
  return opened;
}

import { type Logger, readAuthorities } from '@ringway/service';
import type { Registry } from 'prom-client';
import { redisAddressFrom } from '../log/open-log.ts';
import type { NodeSettings } from '../settings.ts';
import { MemoryRoster, type RosterPeers } from './memory.ts';
import { CountedRoster, RedisRosterMetrics, registerMemoryRoster } from './metrics.ts';
import type { Roster } from './port.ts';
import { RedisRoster } from './redis.ts';

/** What a roster needs beside its settings. */
export interface RosterContext {
  /** Undefined with a router that has no links; Redis is at hand then. */
  readonly peers: RosterPeers | undefined;
  readonly logger: Logger;
  readonly random: () => number;
  /** Monotonic, milliseconds. */
  readonly now: () => number;
  /** Milliseconds since the epoch. */
  readonly wallClock: () => number;
}

/** The roster that the settings ask for. */
export interface OpenedRoster {
  readonly kind: 'memory' | 'redis';
  readonly roster: Roster;
  /** Adds what it measures. */
  register(registry: Registry): void;
}

/** In Redis wherever there is one. Nothing is connected before `start`. @throws SettingsError */
export function openRoster(settings: NodeSettings, context: RosterContext): OpenedRoster {
  const { peers } = context;
  return settings.redisUrl === undefined && peers
    ? memoryRoster(settings, peers, context)
    : redisRoster(settings, context);
}

function memoryRoster(
  settings: NodeSettings,
  peers: RosterPeers,
  { now, wallClock, random }: RosterContext,
): OpenedRoster {
  const { maxUserGroups, maxMemberships, linkTimeout, startTimeout } = settings;
  const roster = new MemoryRoster({
    peers,
    maxUserGroups,
    maxMemberships,
    timeoutMs: linkTimeout,
    startMs: Math.min(linkTimeout, startTimeout / 2),
    mostStartMs: (startTimeout * 3) / 4,
    now,
    wallClock,
    random,
  });
  const counted = new CountedRoster(roster);
  return {
    kind: 'memory',
    roster: counted,
    register: (registry) => {
      counted.register(registry);
      registerMemoryRoster(registry, roster);
    },
  };
}

function redisRoster(settings: NodeSettings, { logger, random, now }: RosterContext): OpenedRoster {
  const { cluster, nodeId, redisUrl, redisCa, router, logTimeout, maxUserGroups } = settings;
  const metrics = new RedisRosterMetrics();
  const roster = new RedisRoster({
    address: redisAddressFrom(redisUrl, `RINGWAY_ROUTER is ${router}`),
    cluster,
    maxUserGroups,
    timeoutMs: logTimeout,
    name: `${cluster}:${nodeId}`,
    ca: redisCa && readAuthorities('RINGWAY_REDIS_CA', redisCa),
    logger,
    hooks: metrics,
    random,
    now,
  });
  const counted = new CountedRoster(roster);
  return {
    kind: 'redis',
    roster: counted,
    register: (registry) => {
      counted.register(registry);
      metrics.register(registry, roster);
    },
  };
}

import { randomBytes } from 'node:crypto';
import { readAuthorities } from '@ringway/service';
import { Peers } from '../peers/peers.ts';
import { MAX_PEER_FRAME_BYTES } from '../peers/wire.ts';
import { RingDoubts } from '../ring-doubts.ts';
import type { NodeSettings } from '../settings.ts';
import { Vigil } from '../vigil.ts';
import type { OpenedRouter, RouterContext } from './open-router.ts';
import { RingPlaces } from './ring-places.ts';
import { RingRouter } from './ring-router.ts';

/** The router over the ring, with its links to the peers and its watch over whether this process stood still. */
export function openRingRouter(settings: NodeSettings, context: RouterContext): OpenedRouter {
  const { nodeId, cluster } = settings;
  const { incarnation, keys, log, tenures, watcher, logger, now, wallClock } = context;
  // where nobody could have acted in its place, a node that stood still reads what waited for it
  const awake = (): boolean => vigil.look() || doubts.alone;
  const peers = new Peers({
    self: { id: nodeId, incarnation },
    cluster,
    keys,
    linkTimeoutMs: settings.linkTimeout,
    highWaterBytes: settings.peerWaitingBytes / 16,
    maxWaitingBytes: settings.peerWaitingBytes,
    maxFrameBytes: MAX_PEER_FRAME_BYTES,
    ca: settings.internalCa && readAuthorities('RINGWAY_INTERNAL_CA', settings.internalCa),
    checksum: () => router.ring.version.checksum,
    awake,
    now,
    nonce: () => randomBytes(16).toString('base64url'),
    onMismatch: () => doubts.onMismatch(),
    onRefused: (reason, peer) => context.onPeerRefused(reason, peer),
  });
  const router: RingRouter = new RingRouter({
    selfId: nodeId,
    incarnation,
    ring: watcher.current,
    peers,
    log,
    tenures,
    homeTimeoutMs: settings.homeTimeout,
    presence: { debounceMs: settings.presenceDebounce, maxStreams: settings.presenceStreams },
    maxWaitingBytes: settings.peerWaitingBytes,
    now,
    awake,
    onLeaving: (id, start) => watcher.saidLeaving(id, start),
  });
  const doubts = new RingDoubts(watcher, router, logger);
  const vigil: Vigil = new Vigil({
    limitMs: (settings.linkTimeout * 2) / 3,
    now,
    wallClock,
    onStop: (ms) => doubts.onStop(ms),
  });
  return {
    router,
    presence: router.presence,
    places: new RingPlaces(router.placement, peers),
    peers,
    get counts() {
      const { guests, standbys, relayed, delivered, dropped } = router.counts;
      const { mismatches, stops } = doubts;
      const totals = { guests, standbys, relayed: relayed + delivered, dropped, repeats: 0 };
      return { ...totals, mismatches, stops, peers: peers.counts() };
    },
    get channelsClosed() {
      return router.channelsClosed;
    },
    set onMoved(told) {
      router.placement.onMoved = told;
    },
    get onMoved() {
      return router.placement.onMoved;
    },
    async start(local, ring) {
      await router.start(local);
      router.setRing(ring());
      vigil.start();
    },
    setRing: (ring) => router.setRing(ring),
    abdicate: () => router.abdicate(),
    calm: () => vigil.stop(),
    acceptPeer: (request, socket, head) => peers.accept(request, socket, head),
    register: (registry) => router.presence.register(registry),
  };
}

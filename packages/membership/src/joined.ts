import type { Membership, Registering, Watching } from './port.ts';

/** A membership that registers by one way and reads by another: a node that registers with Consul, and reads by Redis. */
export function joinedMembership(registering: Registering, watching: Watching): Membership {
  return {
    register: (self, observer) => registering.register(self, observer),
    watch: (observer) => watching.watch(observer),
    close: async () => {
      await Promise.all([watching.close(), registering.close()]);
    },
  };
}

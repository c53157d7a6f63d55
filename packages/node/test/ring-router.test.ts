import { routerConformance } from './router-conformance.ts';
import { KEPT, RingRouters } from './support/ring-routers.ts';

for (const count of [1, 3]) {
  routerConformance('the ring', count, { resume: true, kept: KEPT }, (nodes) => RingRouters.start(nodes));
}

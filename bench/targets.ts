import type { ConnectRow } from './connect.ts';
import type { FleetRow } from './fleet/row.ts';
import { bareWs } from './peers/bare-ws.ts';
import { nats } from './peers/nats.ts';
import { ring, ringway, ringwayAnswered, ringwayRedis, ringwayRedisAnswered } from './peers/ringway.ts';
import { socketIo, socketIoStreams } from './peers/socket-io.ts';
import type { RelayRow } from './relay.ts';
import { atMost, type Row, within } from './support/row.ts';
import { FULL, oneToOne, PACED } from './workloads.ts';

/** What design.md asks of one-to-one messages, as far as the rows go. */
export function relayTargets(rows: readonly RelayRow[]): Row[] {
  const found = (peer: { name: string }, nodes: number, load: string): RelayRow | undefined =>
    rows.find((row) => row.peer === peer.name && row.nodes === nodes && row.load === load);
  const targets: Row[] = [];
  const compare = (
    one: { name: string },
    other: { name: string },
    nodes: number,
    load: string,
    factor: number,
  ): void => {
    const [measured, beside] = [found(one, nodes, load), found(other, nodes, load)];
    if (!measured || !beside) return;
    const name = `one-to-one, ${nodes} nodes, ${load}, CPU us/message: ${one.name} (${other.name})`;
    targets.push(atMost(name, measured.cpu.median, beside.cpu.median, factor));
  };
  for (const nodes of new Set(rows.map((row) => row.nodes))) {
    compare(ringway, bareWs, nodes, FULL, 1);
    compare(ringway, socketIo, nodes, FULL, 0.2);
    if (nodes === 2) compare(ringway, nats, nodes, PACED, 1);
    compare(ringway, socketIo, nodes, PACED, nodes >= 8 ? 0.25 : 0.5);
    compare(ringwayRedis, socketIoStreams, nodes, FULL, 0.5);
    compare(ringwayRedisAnswered, socketIoStreams, nodes, FULL, 0.5);
    compare(ringwayAnswered, ringway, nodes, FULL, 1.6);
    compare(ringwayAnswered, ringway, nodes, PACED, 1.6);
    const frames = found(ringway, nodes, FULL)?.frames;
    if (frames) {
      targets.push(
        atMost(`one-to-one, ${nodes} nodes, frames between nodes a message (one)`, frames.median, 1, 1),
      );
    }
  }
  return targets;
}

/** What design.md asks of routers, as far as the rows go. */
export function routerTargets(rows: readonly RelayRow[]): Row[] {
  const targets: Row[] = [];
  const [least, most] = [Math.min, Math.max].map((of) => of(...rows.map(({ nodes }) => nodes)));
  const of = (nodes: number | undefined): RelayRow | undefined =>
    rows.find(
      (row) =>
        row.workload === oneToOne.name && row.peer === ring.name && row.nodes === nodes && row.load === FULL,
    );
  const [few, many] = [of(least), of(most)];
  if (few && many && few !== many) {
    const between = (what: string): string =>
      `${ring.name}: ${what} a message, ${most} nodes (${least} nodes)`;
    const bytes = [many, few].map((row) => row.bytes.between.median) as [number, number];
    const frames = [many, few].map((row) => row.frames?.median ?? 0) as [number, number];
    targets.push(within(between('frames between nodes'), ...frames, 0.02));
    targets.push(within(between('bytes between nodes'), ...bytes, 0.1));
  }
  for (const ours of rows.filter((row) => row.workload !== oneToOne.name && row.peer === ring.name)) {
    const bare = rows.find(
      (row) => row.workload === ours.workload && row.load === ours.load && row.peer === bareWs.name,
    );
    if (!bare) continue;
    const name = `${ours.workload}, ${ours.load}, CPU us/delivery: ${ours.peer} (${bare.peer})`;
    targets.push(atMost(name, ours.cpu.median, bare.cpu.median, 1));
  }
  return targets;
}

/** What design.md asks of connections. */
export function connectTargets(rows: readonly ConnectRow[]): Row[] {
  const ours = rows.find((row) => row.peer === ringway.name);
  const bare = rows.find((row) => row.peer === bareWs.name);
  if (!ours || !bare) return [];
  return [
    atMost('CPU us/connect, /route included (bare ws)', ours.cpu.median, bare.cpu.median, 1.7),
    atMost(
      `KiB/idle connection, ${ours.idle} of them (bare ws)`,
      ours.memory.median,
      bare.memory.median,
      1.3,
    ),
  ];
}

/** What design.md asks of changes of the fleet. */
export function fleetTargets(rows: readonly FleetRow[]): Row[] {
  return rows
    .filter(({ peer }) => peer === 'Ringway')
    .flatMap(({ change, concerned, clients, ideal, ms, back, rate, told }) => [
      ...(back
        ? [
            atMost(`${change}: 99 % of its clients back, s`, back.most / 1000, 3, 1),
            atMost(`${change}: confirmed messages lost untold`, told.lost, 0, 1),
          ]
        : [
            atMost(`${change}: sessions moved (ideal)`, concerned, ideal, 1.1),
            atMost(`${change}: moved twice`, told.stood - concerned, 0, 1),
            atMost(`${change}: messages lost, told or not`, told.lost + told.told, 0, 1),
            atMost(`${change}: longest silence, ms`, told.phases.during.silence, 100, 1),
          ]),
      atMost(`${change}: messages doubled or disordered`, told.doubled + told.disordered, 0, 1),
      ...(rate === undefined
        ? []
        : [within(`${change}: seconds (sessions / rate)`, ms / 1000, clients / rate, 0.1)]),
    ]);
}

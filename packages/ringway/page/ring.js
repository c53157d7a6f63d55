// Draws the ring: a band whose stripes have the colour of whoever owns them, pins for users, a list of members.

const SVG = 'http://www.w3.org/2000/svg';
const CIRCLE = 2 ** 32;
const COLOURS = 12;
const OUTER = 100;
const INNER = 74;
/** node-2 before node-10. */
const BY_NAME = new Intl.Collator('en', { numeric: true });

/** A member's colour: by the number in its name, so that it stays what it was when others come and go. */
export function colourOf(id) {
  const number = Number(/(\d+)$/.exec(id)?.[1] ?? 0);
  return `var(--m${(number + COLOURS - 1) % COLOURS})`;
}

/** An element that names a member, in its colour. */
export function memberName(id) {
  const name = document.createElement('span');
  name.className = 'member-name';
  name.style.setProperty('--member', colourOf(id));
  name.textContent = id;
  return name;
}

/** A point of 0 to 2^32 - 1 as it is written elsewhere. */
export function hex(point) {
  return `0x${point.toString(16).padStart(8, '0')}`;
}

function element(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, String(value));
  if (text !== undefined) made.textContent = text;
  return made;
}

/** Zero is at the top; clockwise, as one reads a clock. */
function at(turn, radius) {
  const angle = (turn - 0.25) * 2 * Math.PI;
  return `${(Math.cos(angle) * radius).toFixed(2)} ${(Math.sin(angle) * radius).toFixed(2)}`;
}

function sector(from, to) {
  const large = to - from > 0.5 ? 1 : 0;
  return `M${at(from, OUTER)}A${OUTER} ${OUTER} 0 ${large} 1 ${at(to, OUTER)}L${at(to, INNER)}A${INNER} ${INNER} 0 ${large} 0 ${at(from, INNER)}Z`;
}

/** One path a member, made of all its stripes. */
function bands({ slots, stripes }) {
  const shapes = slots.map(() => '');
  const count = stripes.length;
  for (let from = 0; from < count; ) {
    let to = from + 1;
    // no sector of more than half a circle, which an arc cannot tell from its rest
    while (to < count && stripes[to] === stripes[from] && to - from < count / 2) to++;
    if (stripes[from] >= 0) shapes[stripes[from]] += sector(from / count, to / count);
    from = to;
  }
  return slots.map((id, slot) => element('path', { d: shapes[slot], fill: colourOf(id), 'data-member': id }));
}

function pin({ label, place }) {
  const turn = place.point / CIRCLE;
  const group = element('g', { 'data-testid': `pin-${label}`, 'data-owner': place.owner });
  const [x1, y1] = at(turn, INNER - 4).split(' ');
  const [x2, y2] = at(turn, OUTER + 7).split(' ');
  const [x, y] = at(turn, INNER - 16).split(' ');
  group.append(
    element('line', { x1, y1, x2, y2, stroke: 'var(--ink)', 'stroke-width': 2 }),
    element('circle', {
      cx: x2,
      cy: y2,
      r: 5,
      fill: colourOf(place.owner),
      stroke: 'var(--ink)',
      'stroke-width': 1.5,
    }),
    element('text', { x, y, 'dominant-baseline': 'middle' }, label),
  );
  return group;
}

/** Draws the whole. `pins` are `{label, place}`, as `/dev/place` tells places. */
export function drawRing(svg, state, pins) {
  const up = state.slots.length;
  const title = element('title', { id: 'ring-desc' });
  const shares = state.members.map(({ id, share }) => `${id} ${(share * 100).toFixed(1)} %`).join(', ');
  title.textContent = `The ring of ${up} nodes: ${shares}. ${pins.map(({ label, place }) => `${label} belongs to ${place.owner}`).join(', ')}`;
  svg.replaceChildren(
    title,
    ...bands(state),
    element('text', { class: 'big', y: 2 }, `${up}`),
    element('text', { class: 'soft', y: 16 }, up === 1 ? 'node' : 'nodes'),
    ...pins.map(pin),
  );
}

/** The arcs next to a place, each as wide as it is on the ring, and the point. */
export function drawLens(svg, place) {
  const width = 400;
  const sizes = place.around.map(({ start, end }) => end - start + 1);
  const whole = sizes.reduce((sum, size) => sum + size, 0);
  const shapes = [];
  let left = 0;
  place.around.forEach(({ start, end, member }, i) => {
    const own = start === place.arc.start;
    const size = ((sizes[i] ?? 0) / whole) * width;
    shapes.push(
      element('rect', {
        x: left.toFixed(2),
        y: own ? 8 : 14,
        width: Math.max(0.5, size).toFixed(2),
        height: own ? 36 : 24,
        fill: colourOf(member),
      }),
    );
    if (own) {
      const x = (left + ((place.point - start) / Math.max(1, end - start)) * size).toFixed(2);
      shapes.push(
        element('line', {
          x1: x,
          x2: x,
          y1: 0,
          y2: 44,
          stroke: 'var(--ink)',
          'stroke-width': 2,
          'vector-effect': 'non-scaling-stroke',
        }),
      );
    }
    left += size;
  });
  // the point over its neighbours
  shapes.sort((a, b) => Number(a.tagName === 'line') - Number(b.tagName === 'line'));
  const title = element('title', { id: 'lens-title' });
  title.textContent = `${place.channel} is at ${hex(place.point)}, on an arc of ${place.owner} from ${hex(place.arc.start)} to ${hex(place.arc.end)}`;
  svg.replaceChildren(title, ...shapes);
}

/** The list of members. `remove(id)` is called by their buttons. */
export function drawMembers(list, { members }, remove) {
  const focused = document.activeElement?.getAttribute('data-testid');
  const sorted = [...members].sort((a, b) => BY_NAME.compare(a.id, b.id));
  list.replaceChildren(
    ...sorted.map((member) => {
      const row = document.createElement('li');
      row.dataset.testid = `member-${member.id}`;
      row.dataset.state = member.state;
      row.style.setProperty('--member', colourOf(member.id));
      const share = document.createElement('span');
      share.className = 'share';
      const bar = document.createElement('i');
      bar.style.width = `${(member.share * 100).toFixed(1)}%`;
      share.append(bar);
      const percent = document.createElement('span');
      percent.className = 'number';
      percent.textContent = member.state === 'up' ? `${(member.share * 100).toFixed(1)} %` : member.state;
      percent.title = 'Share of all keys';
      const sessions = document.createElement('span');
      sessions.className = 'number hint sessions';
      sessions.textContent = `${member.sessions} session${member.sessions === 1 ? '' : 's'}`;
      const button = document.createElement('button');
      button.type = 'button';
      button.className = 'quiet';
      button.dataset.testid = `remove-${member.id}`;
      button.textContent = 'Remove';
      button.setAttribute('aria-label', `Remove ${member.id}`);
      button.disabled = members.length < 2 || member.state !== 'up';
      button.addEventListener('click', () => remove(member.id));
      row.append(memberName(member.id), share, percent, sessions, button);
      return row;
    }),
  );
  if (focused?.startsWith('remove-')) list.querySelector(`[data-testid="${focused}"]`)?.focus();
}

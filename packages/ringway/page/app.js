import { RingwayClient } from '/sdk/ringway.js';
import { showGap, showLast, showMine, showTheirs } from './chat.js';
import { drawLens, drawMembers, drawRing, hex, memberName } from './ring.js';

const LOG_LINES = 100;

function $(id) {
  return document.getElementById(id);
}

/** What the page knows; `show` draws it. */
const page = {
  /** The cluster, as `/dev/events` tells it. */
  state: undefined,
  client: undefined,
  name: '',
  /** Where one's own channel is, and the other's. */
  mine: undefined,
  other: undefined,
  otherName: '',
  node: undefined,
};

function log(text, { at = Date.now(), bad = false, from = 'page' } = {}) {
  const row = document.createElement('li');
  const time = document.createElement('time');
  time.textContent = new Date(at).toLocaleTimeString();
  const what = document.createElement('span');
  what.textContent = text;
  if (bad) what.className = 'bad';
  row.append(time, what);
  row.dataset.at = String(at);
  row.dataset.from = from;
  const list = $('log');
  // newest first, by when it was: what the cluster tells may be older than what the page saw itself
  const older = [...list.children].find((other) => Number(other.dataset.at) <= at);
  list.insertBefore(row, older ?? null);
  while (list.children.length > LOG_LINES) list.lastChild.remove();
}

async function placeOf(name) {
  if (name === '') return undefined;
  const answer = await fetch(`/dev/place?channel=${encodeURIComponent(`user:${name}`)}`);
  return answer.ok ? answer.json() : undefined;
}

/** Asks where both users are: after each change of the ring, and of the names. */
async function refreshPlaces() {
  const { name, otherName } = page;
  const [mine, other] = await Promise.all([placeOf(name), placeOf(otherName)]);
  if (name !== page.name || otherName !== page.otherName) return;
  page.mine = mine;
  page.other = other;
  show();
}

/** The state that the list of members shows. */
let drawn;

function show() {
  const { state, mine, other, otherName, name } = page;
  if (state !== undefined) {
    const pins = [];
    if (mine) pins.push({ label: name, place: mine });
    if (other && otherName !== name) pins.push({ label: otherName, place: other });
    drawRing($('ring'), state, pins);
    // a button that is being pressed must not be replaced without need
    if (drawn !== state) drawMembers($('members'), state, removeNode);
    drawn = state;
    $('ring').closest('section').dataset.checksum = state.ring.checksum;
    document.querySelector('.version').textContent = `ring ${state.ring.index} · ${state.ring.checksum}`;
  }
  showAdd();
  showWhy();
  $('to-node').replaceChildren(...(other ? ['lives on ', memberName(other.owner)] : []));
}

const HOME = 'The node that owns your channel: it keeps your messages, and new connections go to it.';
const GUEST = 'Your session is on a node that is not your home: your messages reach you with one hop more.';

/** A word with its explanation. */
function term(text, title) {
  const made = document.createElement('abbr');
  made.textContent = text;
  made.title = title;
  return made;
}

function showWhy() {
  const { mine, node } = page;
  $('why').hidden = mine === undefined;
  if (mine === undefined) return;
  const channel = document.createElement('code');
  channel.textContent = mine.channel;
  const point = document.createElement('code');
  point.textContent = hex(mine.point);
  const parts = [
    'Your channel ',
    channel,
    ' hashes to ',
    point,
    ', which lies on an arc of ',
    memberName(mine.owner),
    ': ',
    term('your home', HOME),
    '.',
  ];
  if (mine.successor) parts.push(' Should it die, ', memberName(mine.successor), ' takes over.');
  if (node !== undefined && node !== mine.owner)
    parts.push(' You are ', term('a guest', GUEST), ' on ', memberName(node), '.');
  parts.push(` (Ring ${mine.ring.index}.)`);
  $('why-text').replaceChildren(...parts);
  drawLens($('lens'), mine);
}

function showState(text) {
  $('state').textContent = text;
  $('state-dot').dataset.state = text;
  const node = page.client?.session?.nodeId;
  $('on-node').replaceChildren(...(node === undefined ? [] : ['on ', memberName(node)]));
  $('on-node').dataset.node = node ?? '';
}

/** A move keeps the session connected, so the node is looked at, too. */
function watchNode() {
  const node = page.client?.session?.nodeId;
  if (node === page.node) return;
  const before = page.node;
  page.node = node;
  if (node !== undefined)
    log(before === undefined ? `you are on ${node}` : `you moved from ${before} to ${node}`);
  showState(page.client?.state ?? 'disconnected');
  showWhy();
}

/** Says what may be missing, and who keeps the channel now. */
async function tellGap(client, gap) {
  const place = await placeOf(gap.channel.replace(/^user:/, '')).catch(() => undefined);
  if (client !== page.client) return;
  log(`gap in ${gap.channel}: what was published meanwhile may be missing`);
  showGap($('messages'), gap, place?.owner);
}

async function connect(name) {
  await page.client?.close();
  const client = new RingwayClient({ locator: location.origin, userId: name });
  page.client = client;
  page.name = name;
  page.node = undefined;
  page.mine = undefined;
  $('messages').replaceChildren();
  document.title = `${name} · Ringway`;
  client.on('state', ({ old, new: now, code, reason }) => {
    if (client !== page.client) return;
    const why = code === 0 ? '' : ` (${code}${reason === '' ? '' : ` ${reason}`})`;
    log(`${old} → ${now}${why}`);
    showState(now);
    watchNode();
  });
  client.on('message', (message) => {
    if (client !== page.client) return;
    showTheirs($('messages'), message);
    const from = message.from.replace(/^user:/, '');
    if ($('to').value === '' && from !== message.from) setOther(from);
  });
  client.on('gap', (gap) => {
    void tellGap(client, gap);
  });
  client.on('error', (error) => log(error.message, { bad: true }));
  void refreshPlaces();
  try {
    await client.connect();
  } catch (error) {
    log(error.message, { bad: true });
  }
}

function setOther(name) {
  $('to').value = name;
  page.otherName = name.trim();
  showOther();
  void refreshPlaces();
}

/** The second window is the one whom one talks to. */
function showOther() {
  const me = page.name || 'alice';
  const them = page.otherName && page.otherName !== me ? page.otherName : me === 'bob' ? 'alice' : 'bob';
  $('other').href = `/?${new URLSearchParams({ name: them, to: me })}`;
  $('other').textContent = `open a second window as ${them}`;
}

async function ask(method, path) {
  const note = $('node-note');
  note.textContent = 'one moment…';
  try {
    const answer = await fetch(path, { method });
    const text = await answer.text();
    note.textContent = answer.ok ? '' : (JSON.parse(text).detail ?? answer.status);
  } catch {
    note.textContent = 'ringway dev does not answer';
  }
}

/** A request for one more node is under way. */
let adding = false;

function showAdd() {
  const { members = [], most = Number.POSITIVE_INFINITY } = page.state ?? {};
  const full = members.length >= most;
  $('add').disabled = adding || full;
  $('add').title = full ? `${most} nodes are the most here` : '';
}

function removeNode(id) {
  void ask('DELETE', `/dev/nodes/${encodeURIComponent(id)}`);
}

$('add').addEventListener('click', async () => {
  adding = true;
  showAdd();
  await ask('POST', '/dev/nodes');
  adding = false;
  showAdd();
});

$('join').addEventListener('submit', (event) => {
  event.preventDefault();
  const name = $('name').value.trim();
  if (name === '') return;
  history.replaceState(undefined, '', `/?${new URLSearchParams({ name, to: $('to').value })}`);
  void connect(name);
  showOther();
});

$('to').addEventListener('change', () => setOther($('to').value));

$('send').addEventListener('submit', async (event) => {
  event.preventDefault();
  const to = $('to').value.trim();
  const text = $('text').value;
  if (page.client === undefined) {
    log('choose a name first', { bad: true });
    $('name').focus();
    return;
  }
  $('text').value = '';
  if (to !== page.otherName) setOther(to);
  const done = showMine($('messages'), to, text);
  try {
    done(await page.client.publish(`user:${to}`, { text }));
  } catch (error) {
    done(error);
  }
});

const events = new EventSource('/dev/events');
events.addEventListener('open', () => {
  $('stopped').hidden = true;
  // the cluster tells its history again
  for (const row of $('log').querySelectorAll('[data-from="cluster"]')) row.remove();
});
events.addEventListener('error', () => {
  $('stopped').hidden = false;
});
events.addEventListener('log', ({ data }) => {
  const { at, text } = JSON.parse(data);
  log(text, { at, from: 'cluster' });
});
events.addEventListener('state', ({ data }) => {
  const before = page.state?.ring.checksum;
  page.state = JSON.parse(data);
  show();
  if (before !== page.state.ring.checksum) void refreshPlaces();
});
setInterval(watchNode, 250);
// a list that changes its height would else no longer show its end
new ResizeObserver(() => showLast($('messages'))).observe($('messages'));

const wanted = new URLSearchParams(location.search);
$('name').value = wanted.get('name') ?? '';
if (wanted.get('to')) setOther(wanted.get('to'));
showOther();
if ($('name').value !== '') void connect($('name').value.trim()).then(showOther);

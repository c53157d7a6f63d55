// The page of the chat. A conversation is a channel: `group:room-lobby` for a room, `user:bob` for a talk with bob.

const { locator } = await (await fetch('/config')).json();
const { RingwayClient } = await import(`${locator}/sdk/ringway.js`);

const $ = (id) => document.getElementById(id);
/** Rows of each conversation, by its channel. */
const conversations = new Map();
let me;
let client;
let current;

onSubmit('sign-in', async ({ name }) => {
  me = name;
  client = new RingwayClient({ locator, getToken });
  client.on('state', ({ new: state }) => {
    $('state').textContent = state; // connecting: it comes back by itself, and what was missed with it
  });
  client.on('message', received);
  client.on('gap', lost);
  client.on('error', tell);
  await client.connect();
  $('who').textContent = me;
  $('sign-in').hidden = true;
  document.querySelector('main').hidden = false;
  await enter('lobby');
});

onSubmit('join', ({ room }) => enter(room));
onSubmit('talk', ({ name }) => show(`user:${name}`));
onSubmit('say', async ({ text }) => {
  // to the other one and to my own windows: what I see is what was stored, in its order
  const other = current.replace('user:', '');
  const to = current.startsWith('group:') ? current : { users: [...new Set([other, me])] };
  // made while away it waits; sent again after a reconnect it is still stored once
  const { results = [] } = await client.publish(to, { text, with: other });
  for (const { error } of results) if (error) throw new Error(error.message);
});

$('sign-in').hidden = false; // not before all of this is here

/** Asked at the first connect, and whenever the token runs out. */
async function getToken() {
  const answer = await fetch('/token', { method: 'POST', headers: { 'x-name': me } });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.text();
}

async function enter(room) {
  await client.join(`group:room-${room}`); // and again after each reconnect
  show(`group:room-${room}`);
}

function received({ channel, from, data }) {
  const sender = from.replace('user:', '');
  const other = sender === me ? data.with : sender; // `from` is set by the node: nobody can send as another
  const conversation = channel.startsWith('group:') ? channel : `user:${other}`;
  addRow(conversation, 'message', sender, String(data.text));
}

/** Messages that this window will not get: the log has lost them. An application with a history of its own reads it now. */
function lost({ channel, after, upTo }) {
  const count = after.epoch === upTo.epoch ? upTo.seq - after.seq : 'Some';
  const conversation = channel.startsWith('group:') ? channel : current;
  addRow(conversation, 'gap', '', `${count} messages were lost here.`);
}

function addRow(conversation, kind, sender, text) {
  const row = document.createElement('li');
  row.className = kind;
  const name = document.createElement('b');
  name.textContent = sender;
  row.append(name, ` ${text}`);
  rowsOf(conversation).push(row);
  if (conversation === current) {
    $('messages').append(row);
    row.scrollIntoView();
  }
}

function rowsOf(conversation) {
  if (!conversations.has(conversation)) {
    conversations.set(conversation, []);
    const button = document.createElement('button');
    button.textContent = titleOf(conversation);
    button.onclick = () => show(conversation);
    const item = document.createElement('li');
    item.append(button);
    $('conversations').append(item);
  }
  return conversations.get(conversation);
}

function show(conversation) {
  current = conversation;
  $('title').textContent = titleOf(conversation);
  $('messages').replaceChildren(...rowsOf(conversation));
}

function titleOf(conversation) {
  return conversation.replace('group:room-', '# ').replace('user:', '');
}

function onSubmit(id, act) {
  $(id).addEventListener('submit', async (event) => {
    event.preventDefault();
    const fields = Object.fromEntries(new FormData(event.target));
    event.target.reset();
    $('error').textContent = '';
    await Promise.resolve(act(fields)).catch(tell);
  });
}

function tell(error) {
  $('error').textContent = error.message;
}

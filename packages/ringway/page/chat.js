// The conversation: what was said, and what became of it.

function item(list, kind) {
  const row = document.createElement('li');
  row.className = kind;
  list.append(row);
  return row;
}

function part(name, text) {
  const made = document.createElement('span');
  made.className = name;
  made.textContent = text;
  return made;
}

/** Scrolls to the newest message. */
export function showLast(list) {
  list.scrollTop = list.scrollHeight;
}

function placeOf({ position }) {
  return position === undefined ? 'not kept' : `message ${position.seq}`;
}

/** Shows a message of one's own. @returns the function to call with what became of it */
export function showMine(list, to, text) {
  const row = item(list, 'mine');
  row.dataset.testid = 'sent';
  const meta = part('meta', 'sending…');
  row.append(part('who', `to ${to}`), document.createElement('br'), document.createTextNode(text), meta);
  showLast(list);
  return (outcome) => {
    if (outcome instanceof Error) {
      row.classList.add('failed');
      row.dataset.state = 'failed';
      meta.textContent = `not sent: ${outcome.message}`;
      return;
    }
    row.dataset.state = 'published';
    const { reached } = outcome;
    const sessions =
      reached === 0
        ? 'nobody is there now; it is kept'
        : `reached ${reached} session${reached === 1 ? '' : 's'}`;
    meta.textContent = `${placeOf(outcome)}, ${sessions}`;
  };
}

/** Shows a message that came. */
export function showTheirs(list, message) {
  const { from, data } = message;
  const row = item(list, 'theirs');
  row.dataset.testid = 'received';
  const text =
    typeof data === 'object' && data !== null && typeof data.text === 'string'
      ? data.text
      : JSON.stringify(data);
  row.append(
    part('who', from.replace(/^user:/, '')),
    document.createElement('br'),
    document.createTextNode(text),
    part('meta', placeOf(message)),
  );
  showLast(list);
}

/** Shows that messages are missing; `home` is the node that keeps the channel now, when it is known. */
export function showGap(list, { after, upTo }, home) {
  const row = item(list, 'note');
  row.dataset.testid = 'gap';
  if (after.epoch === upTo.epoch) row.textContent = `Messages ${after.seq + 1} to ${upTo.seq} are missing.`;
  else
    row.textContent = `${home ?? 'Another node'} is your new home now; what was published during the change may be missing.`;
  showLast(list);
}

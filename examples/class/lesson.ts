// A lesson: the school says who is in the class, the teacher speaks to it, students answer, one is away for a while.
import { Person } from './person.ts';
import { School } from './school.ts';

const CLASS = 'class-7';
const GROUP = `group:${CLASS}`;

const locator = setting('LOCATOR_URL');
// as text or behind base64:; of several, the newest comes first
const [newest = ''] = setting('RINGWAY_AUTH_KEYS').split(/[\s,]+/);
const authKey = newest.startsWith('base64:') ? Buffer.from(newest.slice(7), 'base64') : Buffer.from(newest);

await using school = new School({
  locator: setting('LOCATOR_INTERNAL_URL'),
  clusterKeys: setting('RINGWAY_CLUSTER_KEYS'),
  authKey,
});
await using teacher = new Person('ito', locator, () => school.teacherToken('ito', CLASS));
await using alice = new Person('alice', locator, () => school.studentToken('alice', 'ito'));
await using bob = new Person('bob', locator, () => school.studentToken('bob', 'ito'));

await school.enrol(CLASS, 'alice'); // who is not there yet,
await Promise.all([teacher, alice, bob].map((person) => person.open()));
await school.enrol(CLASS, 'bob'); // and who is
await Promise.all([alice, bob].map((student) => student.joined(GROUP)));

await teacher.say(GROUP, 'good morning');
await Promise.all([alice.hears('good morning'), bob.hears('good morning')]);

await alice.say('user:ito', 'good morning, Mr. Ito');
await teacher.hears('good morning, Mr. Ito');
await alice.say(GROUP, 'I am the teacher now');

console.log('-- bob shuts his laptop');
await bob.close();
await teacher.say(GROUP, 'question 1');
await teacher.say(GROUP, 'question 2');
await teacher.say('user:bob', 'where are you?');
console.log('-- bob opens it again');
await bob.open();
await Promise.all(['question 1', 'question 2', 'where are you?'].map((text) => bob.hears(text)));

console.log('-- bob leaves the class');
await school.expel(CLASS, 'bob');
await bob.left(GROUP);
await teacher.say(GROUP, 'results are out');
await alice.hears('results are out');
await teacher.say('user:bob', 'goodbye');
await bob.hears('goodbye');

function setting(name: string): string {
  const value = process.env[name];
  if (value !== undefined && value !== '') return value;
  console.error(`${name} is not set: see README.md`);
  process.exit(2);
}

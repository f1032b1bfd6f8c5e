// The store of connect-mongo in its own process: `node connect_mongo.mjs URL DATABASE SECONDS`.
//
// Each line on standard input is a request in JSON, and each response is a line of JSON.
// {"fill": 1000, "data": {...}} stores this number of sessions. {"read": 10} and {"change": 10} make
// the calls of express-session for this number of requests, and return the time of each.
import { randomBytes } from "node:crypto";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import MongoStore from "connect-mongo";

const [url, database, seconds] = process.argv.slice(2);
const store = MongoStore.create({ mongoUrl: url, dbName: database, stringify: false });
const get = promisify(store.get.bind(store));
const set = promisify(store.set.bind(store));
const touch = promisify(store.touch.bind(store));
const ids = [];
let visits = 0;

const cookie = () => {
  const originalMaxAge = Number(seconds) * 1000;
  return { originalMaxAge, expires: new Date(Date.now() + originalMaxAge), path: "/" };
};

const fill = async (number, data) => {
  for (let n = 0; n < number; n += 1) {
    const id = randomBytes(24).toString("base64url");
    await set(id, { ...data, cookie: cookie() });
    ids.push(id);
  }
  return ids.length;
};

const visit = async (changes) => {
  visits += 1;
  const id = ids[visits % ids.length];
  const session = await get(id);
  session.cookie = cookie();
  if (changes) {
    session.visits = visits;
    await set(id, session);
  } else {
    await touch(id, session);
  }
};

const serve = async (number, changes) => {
  const wall_ns = [];
  const before = process.cpuUsage();
  for (let n = 0; n < number; n += 1) {
    const start = process.hrtime.bigint();
    await visit(changes);
    wall_ns.push(Number(process.hrtime.bigint() - start));
  }
  const { user, system } = process.cpuUsage(before);
  return { wall_ns, cpu_ns: (user + system) * 1000 };
};

for await (const line of createInterface({ input: process.stdin })) {
  const wish = JSON.parse(line);
  const answer = wish.fill
    ? await fill(wish.fill, wish.data)
    : await serve(wish.change ?? wish.read, "change" in wish);
  console.log(JSON.stringify(answer));
}
await store.close();

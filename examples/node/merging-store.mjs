// A store for express-session that merges what several requests change in one session.
//
// connect-mongo writes the whole session with each save. A slow request therefore overwrites what
// another one saved meanwhile, in Express or in Python, and restores a session after a logout. This
// store writes only the top-level keys that its request changed, and never creates a session that
// it loaded again. It needs `stringify: false`, and neither `crypto` nor `cryptoAdapter`.
//
//     app.use(session({
//       secret, resave: false, saveUninitialized: false,
//       store: createMergingStore({ mongoUrl, dbName, stringify: false }),
//     }));
import { MongoStore } from "connect-mongo";
import { BSON } from "mongodb";

export class MergingStore extends MongoStore {
  // For each session object, what the database held of it when it was loaded or saved.
  #known = new WeakMap();

  createSession(req, data) {
    // The session takes over the values, so they are serialized before.
    const known = serialized(data);
    const session = super.createSession(req, data);
    this.#known.set(session, known);
    return session;
  }

  set(sid, session, callback = () => {}) {
    const saved = serialized(session);
    const known = this.#known.get(session);
    const done = (error) => {
      if (!error) this.#known.set(session, saved);
      callback(error ?? null);
    };
    if (known === undefined) super.set(sid, session, done);
    else this.#update(sid, this.#changes(session, known, saved)).then(() => done(), done);
  }

  touch(sid, session, callback = () => {}) {
    const interval = this.options.touchAfter * 1000;
    const last = session.lastModified?.getTime();
    if (interval > 0 && last && Date.now() - last < interval) callback(null);
    else this.#update(sid, { $set: this.#times(session) }).then(() => callback(null), callback);
  }

  #changes(session, known, saved) {
    const $set = this.#times(session);
    const $unset = {};
    const isKept = (key) => known.has(key) && known.get(key).equals(saved.get(key));
    const changed = [...saved.keys()].filter((key) => !isKept(key));
    const removed = [...known.keys()].filter((key) => !saved.has(key));
    if ([...changed, ...removed].some((key) => key === "" || /^\$|\./.test(key))) {
      // No update path can hold such a key, so the whole session is replaced.
      $set.session = values(session);
      return { $set };
    }
    for (const key of changed) $set[`session.${key}`] = values(session)[key];
    for (const key of removed) $unset[`session.${key}`] = "";
    return removed.length > 0 ? { $set, $unset } : { $set };
  }

  #times(session) {
    const expires = session.cookie?.expires ?? Date.now() + this.options.ttl * 1000;
    const times = { expires: new Date(expires) };
    return this.options.touchAfter > 0 ? { ...times, lastModified: new Date() } : times;
  }

  async #update(sid, update) {
    if (this.options.timestamps) update.$currentDate = { updatedAt: true };
    // There is no upsert, so that a session stays destroyed. Python marks a session that has got
    // another id with `moved_to`.
    const query = { _id: this.computeStorageId(sid), moved_to: { $exists: false } };
    const options = { writeConcern: this.options.writeOperationOptions };
    await (await this.collectionP).updateOne(query, update, options);
  }
}

export default function createMergingStore(options) {
  if (options.stringify !== false || options.crypto || options.cryptoAdapter) {
    throw new Error("MergingStore needs stringify: false, and neither crypto nor cryptoAdapter.");
  }
  return new MergingStore(options);
}

function values(session) {
  const plain = Object.entries(session).filter(([, value]) => typeof value !== "function");
  const { lastModified, ...rest } = Object.fromEntries(plain);
  // The cookie's own date moves with each request; originalMaxAge is what counts.
  if (rest.cookie) rest.cookie = { ...(rest.cookie.toJSON?.() ?? rest.cookie), expires: null };
  return rest;
}

function serialized(session) {
  const compared = values(session);
  const maxAge = compared.cookie?.originalMaxAge;
  // express-session computes it from a date with each request, and loses a millisecond if the clock
  // ticks. That is no change.
  if (maxAge) compared.cookie.originalMaxAge = Math.ceil(maxAge / 1000);
  const entries = Object.entries(compared);
  return new Map(entries.map(([key, value]) => [key, Buffer.from(BSON.serialize({ value }))]));
}

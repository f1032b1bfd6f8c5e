// Express applications for the tests, in one process: each with a configuration of its own.
//
// POST /sites makes one, and DELETE /sites/ID closes it. A request to /ID/run carries JavaScript,
// which runs with `session`, `req` and `res`, and answers with the JSON of its result.
import { createHash } from "node:crypto";
import http from "node:http";
import { createRequire } from "node:module";
import express from "express";
import session from "express-session";
import flash from "connect-flash";
import csurf from "csurf";
import { MongoClient } from "mongodb";
import passport from "passport";
import MongoStore, { createWebCryptoAdapter } from "connect-mongo";
import createMergingStore from "./merging-store.mjs";

const require = createRequire(import.meta.url);
const soajsStore = require("connect-mongo-soajs");
const signature = createRequire(require.resolve("express-session"))("cookie-signature");
const cookies = createRequire(require.resolve("express-session"))("cookie");
const AsyncFunction = (async () => {}).constructor;

passport.serializeUser((user, done) => done(null, user.id));
passport.deserializeUser((id, done) => done(null, { id }));

const sites = new Map();
const clients = new Map();
// Gates stop a request in the middle, until the test opens them.
const gates = new Map();
let count = 0;

function gate(name) {
  if (!gates.has(name)) {
    const one = { reached: false };
    one.opened = new Promise((resolve) => (one.open = resolve));
    gates.set(name, one);
  }
  return gates.get(name);
}

function digest(id) {
  return createHash("sha256").update(id).digest("hex");
}

function makeStore({ kind, url, name, options: { webCrypto, ...options } }) {
  if (kind === "soajs") {
    const { hostname, port } = new URL(url);
    return new (soajsStore(session))({ name, servers: [{ host: hostname, port }], ...options });
  }
  // One client serves all sites, which takes less time than one client each.
  if (!clients.has(url)) clients.set(url, new MongoClient(url));
  const all = { client: clients.get(url), dbName: name, ...options };
  if (all.transformId === "sha256") all.transformId = digest;
  if (webCrypto) all.cryptoAdapter = createWebCryptoAdapter(webCrypto);
  return kind === "merging" ? createMergingStore(all) : MongoStore.create(all);
}

function makeSite(wish) {
  const store = makeStore(wish);
  const app = express();
  app.use(express.text());
  app.use(express.urlencoded({ extended: false }));
  const settings = { secret: "the secret", resave: false, saveUninitialized: false };
  app.use(session({ ...settings, ...wish.session, store }));
  app.use(flash(), passport.initialize(), passport.session());
  app.use("/form", csurf());
  app.get("/form", (req, res) => res.json(req.csrfToken()));
  app.post("/form", (req, res) => res.json("accepted"));
  app.post("/run", async (req, res, next) => {
    try {
      const code = new AsyncFunction("session", "req", "res", "pause", req.body);
      const pause = async (name) => {
        gate(name).reached = true;
        await gate(name).opened;
      };
      const result = await code(req.session, req, res, pause);
      res.json(result === undefined ? null : result);
    } catch (error) {
      next(error);
    }
  });
  app.use((error, req, res, next) => {
    const status = error.status || 500;
    res.status(status).json({ error: String(error.message) });
  });
  return { app, store };
}

// Wait for the TTL index, without which connect-mongo-soajs ends the process.
function untilReady(store) {
  if (store.collectionP) return store.collectionP;
  const index = [{ expires: 1 }, { expireAfterSeconds: 0 }];
  return new Promise((resolve) => store.mongo.ensureIndex("sessions", ...index, resolve));
}

// The clients are closed with the process: others use that of connect-mongo, and the driver of
// connect-mongo-soajs ends the process if it is closed while it does anything.
function closeStore(store) {
  clearInterval(store.timer);
}

function fuzz({ reads, writes, secrets, name }) {
  const read = (header) => {
    const raw = cookies.parse(header)[name];
    if (!raw || raw.slice(0, 2) !== "s:") return null;
    for (const secret of secrets) {
      const id = signature.unsign(raw.slice(2), secret);
      if (id !== false) return id || null;
    }
    return null;
  };
  const write = ([id, secret, attributes]) => {
    if (attributes.expires) attributes.expires = new Date(attributes.expires);
    return cookies.serialize(name, `s:${signature.sign(id, secret)}`, attributes);
  };
  return { reads: reads.map(read), writes: writes.map(write) };
}

const control = express();
control.use(express.json({ limit: "50mb" }));
control.post("/sites", async (req, res) => {
  try {
    const id = String(++count);
    sites.set(id, makeSite(req.body));
    await untilReady(sites.get(id).store);
    res.json(id);
  } catch (error) {
    res.status(400).json(error.message);
  }
});
control.delete("/sites/:id", (req, res) => {
  closeStore(sites.get(req.params.id).store);
  sites.delete(req.params.id);
  res.json(null);
});
control.post("/fuzz", (req, res) => res.json(fuzz(req.body)));
control.get("/gates/:name", (req, res) => res.json(gate(req.params.name).reached));
control.post("/gates/:name", (req, res) => {
  gate(req.params.name).open();
  res.json(null);
});

const server = http.createServer((req, res) => {
  const [, id, path] = /^\/(\d+)(\/.*)$/.exec(req.url) || [];
  if (!sites.has(id)) return control(req, res);
  // The cookie has the path /, so that the site sees the rest of the address only.
  req.url = path;
  return sites.get(id).app(req, res);
});
server.listen(0, "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});
// The process ends with the tests, even if they are killed.
process.stdin.on("end", () => process.exit(0)).resume();

// The Express application of the example. It serves /express on PORT, and prints its address.
import express from "express";
import session from "express-session";
import createMergingStore from "./merging-store.mjs";

const app = express();
app.use(express.urlencoded({ extended: false }));
app.use(
  session({
    // The same secret and name as in wsgi.py.
    secret: "a long random text",
    name: "connect.sid",
    // Requests that only read must not write the session.
    resave: false,
    saveUninitialized: false,
    // The maxAge of new sessions is the timeout of the Python application. The cookie has to be
    // sent again while the visitor is active, because it expires as well.
    rolling: true,
    cookie: { maxAge: 1800 * 1000, sameSite: "lax" },
    store: createMergingStore({
      mongoUrl: process.env.MONGODB_URL,
      dbName: "examples",
      collectionName: "node",
      stringify: false,
    }),
  }),
);

app.get("/express/", (req, res) => {
  req.session.visits = (req.session.visits ?? 0) + 1;
  const { user = "nobody", visits } = req.session;
  res.send(`<!DOCTYPE html>
<title>Express</title>
<h1>Express</h1>
<p>User: <b id="user">${escape(user)}</b>, visits: <b id="visits">${visits}</b></p>
<form method="post" action="/express/login"><input name="user" aria-label="User"> <button>Log in</button></form>
<form method="post" action="/express/logout"><button>Log out</button></form>
<p><a href="/">Python</a></p>`);
});

app.post("/express/login", (req, res, next) => {
  const { user } = req.body;
  req.session.regenerate((error) => {
    if (error) return next(error);
    req.session.user = user;
    req.session.save((failed) => (failed ? next(failed) : res.redirect("/express/")));
  });
});

app.post("/express/logout", (req, res, next) => {
  req.session.destroy((error) => (error ? next(error) : res.redirect("/express/")));
});

function escape(text) {
  return String(text).replace(/[&<>"]/g, (one) => `&#${one.charCodeAt(0)};`);
}

const server = app.listen(Number(process.env.PORT ?? 0), "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});
// It ends with the process that started it.
process.stdin.on("end", () => process.exit(0)).resume();

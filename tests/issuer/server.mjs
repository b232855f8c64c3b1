// A small Better Auth server on loopback, as its documentation builds one: e-mail and password,
// and the jwt() plugin as it comes (EdDSA, 15 minutes, issuer and audience the server's origin).
// Its session cookie is cached as a JWT (strategy "jwt"): signed with the secret, or with the
// jwt() plugin's key if COOKIE_SIGNED_BY is "key".
// Environment: BETTER_AUTH_SECRET, DATABASE_URL of an empty PostgreSQL database, and HOST, the address
// to listen at instead of loopback.
// Prints one JSON line, {"url": …}, when it listens on a free port; ends when its input does, so
// that it never outlives the test that started it.
import { createServer } from "node:http";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { toNodeHandler } from "better-auth/node";
import { jwt } from "better-auth/plugins";
import pg from "pg";

const {
  BETTER_AUTH_SECRET: secret,
  COOKIE_SIGNED_BY: signer,
  DATABASE_URL: connectionString,
} = process.env;
const database = new pg.Pool({ connectionString });
const server = createServer();
const host = process.env.HOST ?? "127.0.0.1";
await new Promise((listening) => server.listen(0, host, listening));
const url = `http://${host}:${server.address().port}`;

const options = {
  baseURL: url,
  database,
  emailAndPassword: { enabled: true },
  plugins: [jwt({ sessionCookieCache: signer === "key" })],
  // The whole test comes from one address.
  rateLimit: { enabled: false },
  secret,
  session: { cookieCache: { enabled: true, strategy: "jwt" } },
  telemetry: { enabled: false },
};
const { runMigrations } = await getMigrations(options);
await runMigrations();

server.on("request", toNodeHandler(betterAuth(options)));
process.stdin.resume().on("end", () => {
  server.close();
  server.closeAllConnections();
  database.end();
});
console.log(JSON.stringify({ url }));

// Prints a token made by hand with jose and the shared secret, as frontend routes do.
// Environment: BETTER_AUTH_SECRET. Argument: the user id.
import { SignJWT } from "jose";

const token = await new SignJWT({})
  .setProtectedHeader({ alg: "HS256" })
  .setSubject(process.argv[2])
  .setIssuedAt()
  .setExpirationTime("1h")
  .sign(new TextEncoder().encode(process.env.BETTER_AUTH_SECRET));
console.log(token);

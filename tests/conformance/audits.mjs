// The server audits of graphql-http: GraphQL over HTTP, as its authors read the specification.
import { serverAudits } from "graphql-http";
import { graphqlUrl, newAccount } from "./account.mjs";

const token = await newAccount();
// A query by GET needs a token here: every audit sends one.
const fetchFn = (target, init = {}) => fetch(target, { ...init, headers: { ...init.headers, authorization: `Bearer ${token}` } });

const results = [];
for (const audit of serverAudits({ url: graphqlUrl, fetchFn })) results.push(await audit.fn());

const failed = results.filter((result) => result.status !== "ok");
for (const { id, name, status, reason } of failed) console.log(`${status} ${id} ${name}: ${reason}`);
console.log(`graphql-http: ${results.length - failed.length} passed, ${failed.length} failed`);
process.exit(failed.length === 0 && results.length === 61 ? 0 : 1);

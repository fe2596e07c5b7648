// Apollo's composition takes the schema, alone and as one subgraph per domain: both come to the same API.
import { readFileSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { composeServices } from "@apollo/composition";
import { lexicographicSortSchema, parse, printSchema } from "graphql";

const [whole, folder] = process.argv.slice(2);

function compose(name, paths) {
  const services = paths.map((path) => ({ name: basename(path, ".graphql"), url: "http://localhost", typeDefs: parse(readFileSync(path, "utf8")) }));
  const result = composeServices(services);
  for (const error of result.errors ?? []) console.log(`${name}: ${error.message}`);
  for (const hint of result.hints ?? []) console.log(`${name}: hint: ${hint.message}`);
  if (result.errors) process.exit(1);
  return result;
}

function apiOf(result) {
  return printSchema(lexicographicSortSchema(result.schema.toAPISchema().toGraphQLJSSchema()));
}

const alone = compose("schema.graphql", [whole]);
const paths = readdirSync(folder).map((name) => join(folder, name));
const together = compose("subgraphs", paths);
for (const directive of ["@cost", "@listSize"]) {
  if (!alone.supergraphSdl.includes(directive)) {
    console.log(`composition: ${directive} is lost`);
    process.exit(1);
  }
}
if (apiOf(alone) !== apiOf(together)) {
  console.log("composition: the subgraphs do not come to the API of the whole");
  process.exit(1);
}
console.log(`composition: the schema and ${paths.length} subgraphs compose to the same API, ${(alone.hints ?? []).length + (together.hints ?? []).length} hints`);

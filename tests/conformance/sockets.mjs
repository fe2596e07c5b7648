// The graphql-ws client against our socket: operations, live snapshots, reconnecting, and being turned away.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { call, newAccount, socketUrl, url } from "./account.mjs";

const STATEMENT = `OFXHEADER:100
DATA:OFXSGML
VERSION:102
SECURITY:NONE
ENCODING:USASCII
CHARSET:1252
COMPRESSION:NONE
OLDFILEUID:NONE
NEWFILEUID:NONE

<OFX><SIGNONMSGSRSV1><SONRS><STATUS><CODE>0<SEVERITY>INFO</STATUS><DTSERVER>20261120120000<LANGUAGE>ENG
<FI><ORG>Conformance Bank<FID>1</FI></SONRS></SIGNONMSGSRSV1>
<BANKMSGSRSV1><STMTTRNRS><TRNUID>1<STATUS><CODE>0<SEVERITY>INFO</STATUS><STMTRS><CURDEF>USD
<BANKACCTFROM><BANKID>1<ACCTID>0001<ACCTTYPE>CHECKING</BANKACCTFROM>
<BANKTRANLIST><DTSTART>20261101<DTEND>20261120
<STMTTRN><TRNTYPE>DEBIT<DTPOSTED>20261103<TRNAMT>-12.34<FITID>a1<NAME>CORNER SHOP</STMTTRN>
<STMTTRN><TRNTYPE>CREDIT<DTPOSTED>20261105<TRNAMT>900.00<FITID>a2<NAME>PAYROLL</STMTTRN>
</BANKTRANLIST><LEDGERBAL><BALAMT>887.66<DTASOF>20261120</LEDGERBAL></STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>
`;

function connect(token, options = {}) {
  return createClient({ url: socketUrl, webSocketImpl: WebSocket, connectionParams: { authorization: `Bearer ${token}` }, ...options });
}

async function all(source) {
  const found = [];
  for await (const each of source) found.push(each);
  return found;
}

async function take(iterator) {
  const { value, done } = await iterator.next();
  assert.equal(done, false);
  assert.equal(value.errors, undefined);
  return value.data;
}

// The figures follow the amount: an event in between may show it before them.
async function takeUntil(live, holds) {
  for (let events = 0; events < 5; events++) {
    const event = (await take(live)).budgetUpdated;
    if (holds(event)) return event;
  }
  throw new Error("it did not come to that within five events");
}

test("a query and a mutation run over the socket", async () => {
  const client = connect(await newAccount());

  const [{ data }] = await all(client.iterate({ query: "query($ids: [ID!]!) { me { id } nodes(ids: $ids) { id } }", variables: { ids: ["x"] } }));
  const [signOut] = await all(client.iterate({ query: "mutation { signOut { errors { code } } }" }));

  assert.match(data.me.id, /^[\w=-]+$/);
  assert.deepEqual(data.nodes, [null]);
  assert.deepEqual(signOut.data.signOut.errors, []);
  await client.dispose();
});

test("a document that does not fit is an error of its operation, and the socket goes on", async () => {
  const client = connect(await newAccount());

  await assert.rejects(all(client.iterate({ query: "{ nothingSuch }" })), (errors) => errors[0].extensions.code === "GRAPHQL_VALIDATION_FAILED");
  const [{ data }] = await all(client.iterate({ query: "{ __typename }" }));

  assert.equal(data.__typename, "Query");
  await client.dispose();
});

async function importStatement(token) {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/x-ofx", "content-disposition": 'attachment; filename="a.ofx"' };
  const uploaded = await fetch(`${url}/uploads`, { method: "POST", headers, body: STATEMENT });
  assert.equal(uploaded.status, 201);
  const { uploadId } = await uploaded.json();
  const { statementImport } = await call(
    token,
    "mutation($input: StatementImportInput!) { statementImport(input: $input) { statementImport { id } errors { message } } }",
    { input: { uploadId, idempotencyKey: crypto.randomUUID() } },
  );
  assert.deepEqual(statementImport.errors, []);
  return statementImport.statementImport.id;
}

test("an import is followed from its snapshot to its end", async () => {
  const token = await newAccount();
  const id = await importStatement(token);
  const client = connect(token);

  const seen = await all(
    client.iterate({ query: "subscription($id: ID!) { statementImportUpdated(id: $id) { statementImport { id status added } } }", variables: { id } }),
  );

  const last = seen.at(-1).data.statementImportUpdated.statementImport;
  assert.deepEqual(last, { id, status: "DONE", added: 2 });
  await client.dispose();
});

test("a budget is sent as it is, moves with what posts, and is sent anew after the connection was lost", async () => {
  const token = await newAccount();
  const { categories } = await call(token, "{ categories { id key: displayName type } }");
  const groceries = categories.find(({ key, type }) => key === "Groceries" && type === "EXPENSE");
  const created = await call(
    token,
    "mutation($input: BudgetCreateInput!) { budgetCreate(input: $input) { budget { id } errors { message } } }",
    { input: { idempotencyKey: crypto.randomUUID(), name: "Food", category: groceries.id, amount: "400.00", currency: "USD" } },
  );
  assert.deepEqual(created.budgetCreate.errors, []);
  const { id } = created.budgetCreate.budget;
  const sockets = [];
  const client = connect(token, { retryAttempts: 3, retryWait: async () => {}, on: { connected: (socket) => sockets.push(socket) } });
  const live = client.iterate({
    query: "subscription { budgetUpdated { budgetId version budget { amount { amount } utilization { amountRemaining { amount } version } } } }",
  });

  const snapshot = (await take(live)).budgetUpdated;
  await call(token, "mutation($input: BudgetUpdateInput!) { budgetUpdate(input: $input) { errors { message } } }", { input: { id, amount: "250.00" } });
  const moved = await takeUntil(live, ({ budget }) => budget.utilization.amountRemaining.amount === "250.00");
  sockets[0].terminate();
  const anew = (await take(live)).budgetUpdated;
  await live.return();

  assert.deepEqual([snapshot.budgetId, moved.budgetId, anew.budgetId], [id, id, id]);
  assert.equal(snapshot.budget.amount.amount, "400.00");
  for (const { budget } of [moved, anew]) {
    assert.equal(budget.amount.amount, "250.00");
    assert.equal(budget.utilization.amountRemaining.amount, "250.00");
  }
  assert.ok(snapshot.version < moved.version && moved.version <= anew.version);
  assert.equal(sockets.length, 2);
  await client.dispose();
});

test("a bad token is fatal: the client does not try again", async () => {
  let connections = 0;
  const client = connect("A".repeat(43), { on: { connecting: () => connections++ } });

  await assert.rejects(all(client.iterate({ query: "{ __typename }" })), (event) => event.code === 4401);

  assert.equal(connections, 1);
});

test("the legacy protocol is not spoken", async () => {
  const socket = new WebSocket(socketUrl, "graphql-ws");

  const code = await new Promise((resolve) => {
    socket.on("error", () => {});
    socket.on("close", resolve);
  });

  assert.ok([4406, 1006].includes(code), `${code}`);
});
